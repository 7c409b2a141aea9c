"""From what is heard every quarter of a second to turns that begin, last and end: pure.

Each view is one chunk that ends now. Its own speakers come in any order, and the next view may see
the last seconds otherwise; so a turn is followed by the frames in which its speaker was active.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import FRAME_SAMPLES, BoolArray, Chunk, runs


def frames(seconds: float) -> int:
    """How many frames they are."""
    return round(seconds * SAMPLE_RATE_HZ / FRAME_SAMPLES)


# A pause that is shorter does not end a turn; a turn of which nothing was heard for as long as the
# second is final; one that is quiet for as long as the third is told to have ended.
_PAUSE, _SETTLED, _QUIET = frames(0.5), frames(0.8), frames(0.2)
# What is shorter is nobody.
_LEAST = frames(0.2)
# What began longer ago without having been noticed is left to hindsight.
_NOTICED = frames(1.0)
# A turn's speakers are linked by this much activity in common.
_LINKED = frames(0.3)
# What is forgotten: a chunk's length.
_MEMORY = 640


class Run(NamedTuple):
    """One of the view's own speakers, active in ``active`` frames of the stream, by number."""

    speaker: int
    active: frozenset[int]
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Turn:
    """A turn that is followed; in frames of the stream.

    Attributes:
        number: counted from 0.
        active: of the last ten seconds.
        solo: those in which nobody else is.
        n_active: how many they were in all.
    """

    number: int
    start: int
    end: int
    active: frozenset[int] = frozenset()
    solo: tuple[int, ...] = ()
    n_active: int = 0
    n_embedded: int = 0
    embedded_to: int = 0
    is_final: bool = False
    is_quiet: bool = False
    linked: tuple[int, ...] = field(default=())
    together: tuple[int, ...] = field(default=())


class Tracker:
    """Follows the turns of a stream.

    Args:
        is_speech: whether the detector heard speech between two frames.
    """

    def __init__(self, is_speech: Callable[[int, int], bool]) -> None:
        self._is_speech = is_speech
        self._n_turns = 0
        self._recent: list[Turn] = []

    @property
    def open(self) -> list[Turn]:
        """Those that are not final."""
        return [turn for turn in self._recent if not turn.is_final]

    def follow(self, view: Chunk, end: int) -> list[Turn]:
        """Take in a view that ends with frame ``end``; all turns that may have changed."""
        found = _runs(view, end)
        changed = self.open
        matched = _match(changed, found)
        for turn in changed:
            self._go_on(turn, matched.get(turn.number), end)
        taken = list(matched.values())
        for run in found:
            if run not in taken:
                turn = self._begin(run, end)
                if turn is not None:
                    changed.append(turn)
                    matched[turn.number] = run
        of_speaker = self._speakers(view)
        for turn in changed:
            run = matched.get(turn.number)
            if run is not None:
                turn.solo = _solo(view, run)
                turn.linked = tuple(n for n in of_speaker.get(run.speaker, ()) if n != turn.number)
                turn.together = tuple(
                    other.number
                    for other in self.open
                    if other is not turn and len(other.active & turn.active) > 0
                )
        self._recent = [turn for turn in self._recent if turn.end > end - _MEMORY]
        return changed

    def finish(self) -> list[Turn]:
        """Nothing more comes."""
        changed = self.open
        for turn in changed:
            turn.is_final = turn.is_quiet = True
        return changed

    def _go_on(self, turn: Turn, run: Run | None, end: int) -> None:
        if run is not None:
            if run.end - run.start < frames(1.0):
                turn.start = max(turn.start - _PAUSE, run.start)
            turn.end = max(run.end, turn.start)
            old = [frame for frame in turn.active if frame < run.start]
            turn.active = run.active | frozenset(f for f in old if f > end - _MEMORY)
        elif len(turn.active) < _LEAST * 2:
            turn.end = turn.start
            turn.active = frozenset()
        turn.is_quiet = end - turn.end >= _QUIET
        turn.is_final = end - turn.end >= _SETTLED
        if turn.is_final and len(turn.active) < _LEAST:
            turn.end = turn.start

    def _begin(self, run: Run, end: int) -> Turn | None:
        start, active = run.start, run.active
        for turn in self._recent:
            if len(turn.active & active) > 0 and turn.is_final:
                active -= turn.active
                start = max(start, turn.end)
        active = frozenset(frame for frame in active if frame >= start)
        if len(active) < _LEAST or end - run.end > _NOTICED:
            return None
        start = min(active)
        if not self._is_speech(start, run.end):
            return None
        turn = Turn(self._n_turns, start, run.end, active)
        turn.is_quiet = end - turn.end >= _QUIET
        self._n_turns += 1
        self._recent.append(turn)
        return turn

    def _speakers(self, view: Chunk) -> dict[int, list[int]]:
        """For each of the view's speakers the turns that were theirs."""
        found: dict[int, list[int]] = {}
        masks = {
            speaker: frozenset(
                (np.flatnonzero(view.speaks[:, speaker]) + view.first_frame).tolist()
            )
            for speaker in view.speakers
        }
        for turn in self._recent:
            common = {speaker: len(turn.active & mask) for speaker, mask in masks.items()}
            if common:
                best = max(common, key=lambda speaker: common[speaker])
                if common[best] >= max(_LINKED, 0.6 * len(turn.active)):
                    found.setdefault(best, []).append(turn.number)
        return found


def _runs(view: Chunk, end: int) -> list[Run]:
    found = []
    n_frames = min(end - view.first_frame, len(view.speaks))
    for speaker in view.speakers:
        flags: BoolArray = view.speaks[:n_frames, speaker]
        for start, stop in _bridged(runs(flags)):
            active = np.flatnonzero(flags[start:stop]) + start + view.first_frame
            found.append(
                Run(
                    speaker,
                    frozenset(active.tolist()),
                    start + view.first_frame,
                    stop + view.first_frame,
                )
            )
    return found


def _bridged(pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in pieces:
        if joined and start - joined[-1][1] < _PAUSE:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _match(turns: Sequence[Turn], found: Sequence[Run]) -> dict[int, Run]:
    """Each turn's run: with the most activity in common, and no run for two turns."""
    pairs = [
        (len(turn.active & run.active), -place, turn.number, run)
        for turn in turns
        for place, run in enumerate(found)
    ]
    matched: dict[int, Run] = {}
    taken: set[int] = set()
    for common, place, number, run in sorted(pairs, key=lambda pair: pair[:3], reverse=True):
        if common > 0 and number not in matched and place not in taken:
            matched[number] = run
            taken.add(place)
    return matched


def _solo(view: Chunk, run: Run) -> tuple[int, ...]:
    alone = np.flatnonzero(view.speaks.sum(axis=1) == 1) + view.first_frame
    return tuple(sorted(run.active & set(alone.tolist())))
