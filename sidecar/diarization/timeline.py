"""From chunks and people to turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import Chunk, frame_start, runs
from sidecar.diarization.speakers import People

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

# So many people are expected to speak at once where one or two are said to: the network misses
# more than it imagines.
_COUNTS_FROM = 0.4
_MOST_AT_ONCE = 2


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
    most = 1 if exclusive else _MOST_AT_ONCE
    speaks = _who_speaks(chunks, people, most)
    overlaps = speaks.sum(axis=1) > 1
    end_s = n_samples / SAMPLE_RATE_HZ
    turns = [
        Turn(
            frame_start(start) / SAMPLE_RATE_HZ,
            min(end_s, frame_start(end) / SAMPLE_RATE_HZ),
            person,
            bool(overlaps[start:end].any()),
        )
        for person in range(speaks.shape[1])
        for start, end in runs(speaks[:, person])
        if frame_start(start) < n_samples
    ]
    return sorted(turns, key=lambda turn: (turn.start_s, turn.person))


def _who_speaks(chunks: Sequence[Chunk], people: People, most: int) -> BoolArray:
    n_frames = max(chunk.first_frame + len(chunk.speaks) for chunk in chunks)
    n_people = len(people.centroids)
    heard = np.zeros(n_frames, np.float32)
    expected = np.zeros(n_frames, np.float32)
    score = np.zeros((n_frames, n_people), np.float32)
    for number, chunk in enumerate(chunks):
        here = slice(chunk.first_frame, chunk.first_frame + len(chunk.speaks))
        heard[here] += 1
        expected[here] += chunk.probabilities.sum(axis=1)
        for speaker in chunk.speakers:
            person = people.of_local.get((number, speaker))
            if person is not None:
                score[here, person] += chunk.probabilities[:, speaker]
    expected /= np.maximum(heard, 1)
    n_speaking = np.floor(expected + 1 - _COUNTS_FROM).astype(int)
    order = np.argsort(-score, axis=1)
    speaks = np.zeros((n_frames, n_people), bool)
    for rank in range(min(most, n_people)):
        frames = np.flatnonzero(n_speaking > rank)
        speaks[frames, order[frames, rank]] = True
    speaks &= score > 0
    return speaks
