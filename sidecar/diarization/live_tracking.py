"""From what is heard several times a second to turns that begin, last and end: pure.

Each view is a chunk that ends now. Its own speakers come in any order, and the next view may see
the last seconds otherwise; so a turn is followed by the frames in which its speaker was active.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import CHUNK_SAMPLES, FRAME_SAMPLES, Chunk, Stretch, runs

# Frames of the stream, by their numbers.
Frames: TypeAlias = frozenset[int]
# Whether speech was heard between two frames.
IsSpeech: TypeAlias = Callable[[int, int], bool]


def n_frames(seconds: float) -> int:
    """How many frames they are."""
    return round(seconds * SAMPLE_RATE_HZ / FRAME_SAMPLES)


# A pause that is shorter does not end a turn, and one of which nothing was heard for as long as the
# second is final. After the third it is told to have ended, as far as can be seen.
_PAUSE, _SETTLED, _QUIET = n_frames(0.2), n_frames(0.3), n_frames(0.1)
# What is shorter is nobody.
_LEAST = n_frames(0.12)
# What has less, and is in no view any more, was nobody, either.
_TAKEN_BACK = n_frames(0.5)
# What ended longer ago, and was not noticed then, is left to hindsight.
_NOTICED = n_frames(1.0)
# Two turns that have as much in common with one of a view's speakers are taken for one person's.
_LINKED = n_frames(0.3)
_MOST_OF_IT = 0.6
# A turn's beginning is still looked for while it is as young as this.
_YOUNG = n_frames(1.0)
# What is remembered of each turn: what a view can still see.
_MEMORY = CHUNK_SAMPLES // FRAME_SAMPLES


class Run(NamedTuple):
    """One of a view's speakers speaks, with short pauses at most, from ``start`` to ``end``."""

    speaker: int
    active: Frames
    start: int
    end: int


@dataclass(slots=True, eq=False)
class FollowedTurn:
    """A turn, in frames of the stream.

    Attributes:
        number: counted from 0.
        start, end: the first frame, and the one behind the last; the same: it was nobody.
        active: in which the speaker speaks; of the last ten seconds.
        solo: those in which nobody else does, in order, as the last view saw it.
        is_quiet: it has ended, as far as can be seen.
        is_final: it changes no more.
        linked: the numbers of earlier turns that the view takes for the same person's.
        unlike: those that it takes for somebody else's.
    """

    number: int
    start: int
    end: int
    active: Frames
    solo: tuple[int, ...] = ()
    is_quiet: bool = False
    is_final: bool = False
    linked: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()


class Tracker:
    """Follows the turns of a stream."""

    def __init__(self) -> None:
        self._n_turns = 0
        self._recent: list[FollowedTurn] = []

    @property
    def open(self) -> list[FollowedTurn]:
        """Those that are not final, in the order of their beginnings."""
        return [turn for turn in self._recent if not turn.is_final]

    def follow(self, view: Chunk, end: int, is_speech: IsSpeech) -> list[FollowedTurn]:
        """Take in ``view``, which sees what lies before frame ``end``: what may have changed."""
        followed = self.open
        found = _runs(view, end)
        matched = _match(followed, found)
        for turn in followed:
            self._go_on(turn, matched.get(turn.number), end)
        for run in found:
            begun = None if run in matched.values() else self._begin(run, end, is_speech)
            if begun is not None:
                followed.append(begun)
                matched[begun.number] = run
        whose = self._whose(view)
        alone = _frames(np.flatnonzero(view.speaks.sum(axis=1) == 1), view)
        for turn in followed:
            if turn.number in matched:
                run = matched[turn.number]
                turn.solo = tuple(sorted(run.active & alone))
                turn.linked = tuple(n for n in whose[run.speaker] if n != turn.number)
                turn.unlike = tuple(
                    n for speaker in whose if speaker != run.speaker for n in whose[speaker]
                )
        self._recent = [turn for turn in self._recent if turn.end > end - _MEMORY]
        return followed

    def finish(self) -> list[FollowedTurn]:
        """Nothing more comes: those that are final by that."""
        changed = self.open
        for turn in changed:
            turn.is_quiet = turn.is_final = True
        return changed

    def _go_on(self, turn: FollowedTurn, run: Run | None, end: int) -> None:
        if run is not None:
            if run.end - run.start < _YOUNG:
                turn.start = max(turn.start - _PAUSE, run.start)
            turn.end = max(turn.start, run.end)
            seen_from = max(run.start, end - _MEMORY)
            before = (frame for frame in turn.active if end - _MEMORY <= frame < seen_from)
            turn.active = run.active.union(before)
        elif len(turn.active) < _TAKEN_BACK:
            turn.end = turn.start
        turn.is_quiet = end - turn.end >= _QUIET
        turn.is_final = end - turn.end >= _SETTLED
        if turn.is_final and turn.end - turn.start < _LEAST:
            turn.end = turn.start

    def _begin(self, run: Run, end: int, is_speech: IsSpeech) -> FollowedTurn | None:
        """The turn that has begun by ``run``, if it is none that was told before."""
        active = run.active
        for turn in self._recent:
            if turn.is_final and turn.active & active:
                active = frozenset(frame for frame in active if frame >= turn.end)
        if len(active) < _LEAST or end - run.end > _NOTICED:
            return None
        start = min(active)
        if not is_speech(start, run.end):
            return None
        turn = FollowedTurn(self._n_turns, start, run.end, active, is_quiet=end - run.end >= _QUIET)
        self._n_turns += 1
        self._recent.append(turn)
        return turn

    def _whose(self, view: Chunk) -> Mapping[int, list[int]]:
        """For each of the view's speakers the turns that are theirs."""
        whose: defaultdict[int, list[int]] = defaultdict(list)
        speaks = {
            speaker: _frames(np.flatnonzero(view.speaks[:, speaker]), view)
            for speaker in view.speakers
        }
        for turn in self._recent:
            for speaker, active in speaks.items():
                n_common = len(turn.active & active)
                if n_common >= max(_LINKED, _MOST_OF_IT * len(turn.active)):
                    whose[speaker].append(turn.number)
        return whose


def _frames(places: Iterable[int], view: Chunk) -> Frames:
    return frozenset((np.asarray(places) + view.first_frame).tolist())


def _runs(view: Chunk, end: int) -> list[Run]:
    found = []
    for speaker in view.speakers:
        flags = view.speaks[: end - view.first_frame, speaker]
        for start, stop in _bridged(runs(flags)):
            active = _frames(start + np.flatnonzero(flags[start:stop]), view)
            found.append(Run(speaker, active, start + view.first_frame, stop + view.first_frame))
    return found


def _bridged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Joined where the pause between them is short."""
    joined: list[Stretch] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] < _PAUSE:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _match(turns: Sequence[FollowedTurn], found: Sequence[Run]) -> dict[int, Run]:
    """Each turn's run: with the most activity in common, and no run for two turns."""
    pairs = sorted(
        (-len(turn.active & run.active), turn.number, place)
        for turn in turns
        for place, run in enumerate(found)
    )
    matched: dict[int, Run] = {}
    for n_common, number, place in pairs:
        if n_common < 0 and number not in matched and found[place] not in matched.values():
            matched[number] = found[place]
    return matched
