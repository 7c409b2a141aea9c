"""Which of the chunks' own speakers are one person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from sidecar.diarization.clustering import average_linkage

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Two clusters whose members are this far from each other, on average, are two people.
MAX_DISTANCE = 0.6
# Who speaks alone for less is no evidence of a person; they go to whom they are most like.
_LEAST_EVIDENCE_S = 1.0
# Of so many at most, those who speak longest, the clusters are made: it takes memory for each two.
_MOST_CLUSTERED = 1500


@dataclass(frozen=True, slots=True, eq=False)
class LocalSpeaker:
    """One of a chunk's own speakers.

    Attributes:
        chunk: the chunk's number.
        speaker: which one of the chunk.
        solo_s: how long they speak alone, in seconds.
        unit: their embedding's direction, float32, shape (dim,).
    """

    chunk: int
    speaker: int
    solo_s: float
    unit: FloatArray

    @classmethod
    def heard(
        cls, chunk: int, speaker: int, solo_s: float, embedding: FloatArray
    ) -> LocalSpeaker | None:
        """One whose voice gave that embedding; None: it has no direction."""
        length = np.linalg.norm(embedding)
        return cls(chunk, speaker, solo_s, embedding / length) if length > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The people of a recording.

    Attributes:
        centroids: float32, shape (n, dim): each one's direction.
        of_local: who it is, for (chunk, speaker).
    """

    centroids: FloatArray
    of_local: dict[tuple[int, int], int]


def find_people(
    local: Sequence[LocalSpeaker], least: int = 1, most: int | None = None
) -> People | None:
    """Who is who, with at least ``least`` and at most ``most`` people where there are so many.

    None: there is nobody.
    """
    if not local:
        return None
    long_enough = [one for one in local if one.solo_s >= _LEAST_EVIDENCE_S]
    evidence = sorted(long_enough or local, key=lambda one: -one.solo_s)[:_MOST_CLUSTERED]
    units = np.stack([one.unit for one in evidence])
    labels = average_linkage(units, MAX_DISTANCE, least, most)
    weights = np.array([[one.solo_s] for one in evidence], np.float32)
    centroids = _centroids(units, weights, labels)
    return _numbered(centroids, _assign(local, centroids))


def _centroids(units: FloatArray, weights: FloatArray, labels: IntArray) -> FloatArray:
    sums = np.zeros((int(labels.max()) + 1, units.shape[1]), np.float32)
    np.add.at(sums, labels, units * weights)
    centroids: FloatArray = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return centroids


def _assign(local: Sequence[LocalSpeaker], centroids: FloatArray) -> dict[tuple[int, int], int]:
    """Each to whom they are most like, but no two of a chunk to the same person."""
    of_chunk: defaultdict[int, list[LocalSpeaker]] = defaultdict(list)
    for one in local:
        of_chunk[one.chunk].append(one)
    assigned: dict[tuple[int, int], int] = {}
    for together in of_chunk.values():
        likeness = np.stack([one.unit for one in together]) @ centroids.T
        for one, person in zip(together, _best(likeness), strict=True):
            assigned[one.chunk, one.speaker] = person
    return assigned


def _best(likeness: FloatArray) -> Sequence[int]:
    """For each row another column, so that the sum is the greatest; rows are three at most."""
    n_rows, n_columns = likeness.shape
    if n_columns < n_rows:
        return [int(column) for column in likeness.argmax(axis=1)]
    # Nobody needs more than the columns that are best for one of the rows.
    best = np.unique(np.argsort(-likeness, axis=1)[:, :n_rows])
    rows = range(n_rows)
    return max(
        permutations(best.tolist(), n_rows),
        key=lambda columns: sum(likeness[row, columns[row]] for row in rows),
    )


def _numbered(centroids: FloatArray, of_local: dict[tuple[int, int], int]) -> People:
    """Those who were assigned anything, numbered as they come in first."""
    in_order = list(dict.fromkeys(of_local[key] for key in sorted(of_local)))
    number = {person: index for index, person in enumerate(in_order)}
    return People(centroids[in_order], {key: number[who] for key, who in of_local.items()})
