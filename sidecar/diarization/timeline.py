"""From chunks and people to turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import Chunk, frame_start, runs
from sidecar.diarization.speakers import People
from sidecar.speech.segments import STEP_SAMPLES

PlaceArray = NDArray[np.int16]

# So many people are expected to speak at once where one or two are said to: the network misses
# more than it imagines.
_COUNTS_FROM = 0.4
_MOST_AT_ONCE = 2
# What is less comes of rounding where a stretch was taken away from somebody.
_LEAST_SCORE = 1e-3
# Turns of a second and more in which speech is never this probable are none. Of shorter ones the
# detector misses too many.
_MUSIC_FROM_S, _LEAST_SPEECH = 1.0, round(0.2 * 255)
# About five minutes.
_BLOCK_FRAMES = 18_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One person speaks, from ``start_s`` to ``end_s``; ``overlap``: somebody else does, too."""

    start_s: float
    end_s: float
    person: int
    overlap: bool


def turns_of(
    chunks: Sequence[Chunk], people: People, n_samples: int, *, exclusive: bool = False
) -> list[Turn]:
    """The turns of a recording of ``n_samples``, in the order of their starts.

    How many speak at a moment is the mean of what the chunks expect of it; who they are is those
    whose mean probability is the greatest. ``exclusive``: one at a time.
    """
    who = _who_speaks(chunks, people, 1 if exclusive else _MOST_AT_ONCE)
    overlaps = (who >= 0).sum(axis=1) > 1
    end_s = n_samples / SAMPLE_RATE_HZ
    turns = [
        Turn(
            frame_start(start) / SAMPLE_RATE_HZ,
            min(end_s, frame_start(end) / SAMPLE_RATE_HZ),
            person,
            bool(overlaps[start:end].any()),
        )
        for person in range(len(people.centroids))
        for start, end in runs((who == person).any(axis=1))
        if frame_start(start) < n_samples
    ]
    return sorted(turns, key=lambda turn: (turn.start_s, turn.person))


def spoken(turns: Sequence[Turn], speech: Sequence[NDArray[np.uint8]]) -> list[Turn]:
    """Those of ``turns`` that are no music: what is long, and never sounds like speech, is some.

    Args:
        turns: of a recording.
        speech: what the speech detector heard in it, see ``HeardActivity``; may be empty.
    """
    if not speech:
        return list(turns)
    steps = np.concatenate(speech)

    def is_spoken(turn: Turn) -> bool:
        first, last = (int(s * SAMPLE_RATE_HZ / STEP_SAMPLES) for s in (turn.start_s, turn.end_s))
        is_short = turn.end_s - turn.start_s < _MUSIC_FROM_S
        return is_short or int(steps[first : last + 1].max(initial=0)) >= _LEAST_SPEECH

    return [turn for turn in turns if is_spoken(turn)]


def _who_speaks(chunks: Sequence[Chunk], people: People, most: int) -> PlaceArray:
    """For each frame who speaks, shape (n_frames, most); -1: nobody, or nobody else."""
    n_frames = max(chunk.first_frame + len(chunk.speaks) for chunk in chunks)
    who = np.full((n_frames, most), -1, np.int16)
    # In blocks, as a recording may be long, and may have many people.
    first = 0
    for block_start in range(0, n_frames, _BLOCK_FRAMES):
        block_end = min(block_start + _BLOCK_FRAMES, n_frames)
        while chunks[first].first_frame + len(chunks[first].speaks) <= block_start:
            first += 1
        numbers = range(first, len(chunks))
        inside = [n for n in numbers if chunks[n].first_frame < block_end]
        who[block_start:block_end] = _who_of_block(
            {n: chunks[n] for n in inside}, people, block_start, block_end, most
        )
    return who


def _who_of_block(
    chunks: Mapping[int, Chunk], people: People, start: int, end: int, most: int
) -> PlaceArray:
    n_people = len(people.centroids)
    around = max(len(chunk.speaks) for chunk in chunks.values())
    # With room on both sides, since chunks reach over the edges.
    n_frames, offset = end - start + 2 * around, around - start
    heard = np.zeros(n_frames, np.float32)
    expected = np.zeros(n_frames, np.float32)
    score = np.zeros((n_frames, n_people), np.float32)
    for number, chunk in chunks.items():
        at = chunk.first_frame + offset
        here = slice(at, at + len(chunk.speaks))
        probabilities = chunk.probabilities
        heard[here] += 1
        expected[here] += probabilities.sum(axis=1)
        for speaker in chunk.speakers:
            person = people.of_local.get((number, speaker))
            if person is None:
                continue
            score[here, person] += probabilities[:, speaker]
            for (first, last), other in people.elsewhere.get((number, speaker), ()):
                moved = probabilities[first:last, speaker]
                score[at + first : at + last, person] -= moved
                score[at + first : at + last, other] += moved
    inside = slice(around, around + end - start)
    score = score[inside]
    n_speaking = np.floor(expected[inside] / np.maximum(heard[inside], 1) + 1 - _COUNTS_FROM)
    order = np.argsort(-score, axis=1)
    who = np.full((end - start, most), -1, np.int16)
    for rank in range(min(most, n_people)):
        frames = np.flatnonzero(n_speaking > rank)
        chosen = order[frames, rank]
        who[frames, rank] = np.where(score[frames, chosen] > _LEAST_SCORE, chosen, -1)
    return who
