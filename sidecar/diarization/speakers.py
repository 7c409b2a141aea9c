"""Which of the chunks' own speakers are one person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import FRAME_SAMPLES, MOST_EMBEDDED_S, Chunk, Stretch
from sidecar.diarization.clustering import average_linkage

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Two clusters whose members are this far from each other, on average, are two people: by the
# network that embeds, and for any other one.
_MAX_DISTANCES = {"campplus": 0.57, "ecapa": 0.61}
_MAX_DISTANCE = 0.59
# The network now and then takes two people for one: then their pieces lie so much further apart
# than that, on average.
_TAKEN_FOR_ONE = 0.23
# A stretch goes to somebody else only if its cosine with them is higher by this.
_CLEARLY = 0.15
# By how much a length that was made 1 may differ from that.
_ROUNDING = 1e-6
# Who speaks alone for less is no evidence of a person; they go to whom they are most like.
_LEAST_EVIDENCE_S = 1.0
# Of so many at most, every second or third of a long recording, the clusters are made: it takes
# memory for each two, 16 MB. Who speaks for two seconds is heard in five chunks.
_MOST_CLUSTERED = 2000


class VoicePlace(NamedTuple):
    """Whose voice was embedded: the chunk's number, which speaker of it, and which stretch."""

    chunk: int
    speaker: int
    stretch: Stretch | None


@dataclass(frozen=True, slots=True, eq=False)
class LocalSpeaker:
    """One of a chunk's own speakers.

    Attributes:
        chunk: the chunk's number.
        speaker: which one of the chunk.
        solo_s: how long they speak alone, in seconds.
        unit: their embedding's direction, float32, shape (dim,).
        stretches: those that were embedded by themselves, with the directions.
    """

    chunk: int
    speaker: int
    solo_s: float
    unit: FloatArray
    stretches: tuple[tuple[Stretch, FloatArray], ...] = ()


class Evidence(NamedTuple):
    """That there is somebody: their embedding's direction, and for how long it was heard."""

    unit: FloatArray
    solo_s: float


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The people of a recording.

    Attributes:
        centroids: float32, shape (n, dim): each one's direction.
        of_local: who it is, for (chunk, speaker).
        elsewhere: for (chunk, speaker), the stretches that are somebody else's, and whose.
    """

    centroids: FloatArray
    of_local: dict[tuple[int, int], int]
    elsewhere: dict[tuple[int, int], list[tuple[Stretch, int]]] = field(default_factory=dict)


def local_speakers(
    chunks: Sequence[Chunk], embedded: Iterable[tuple[VoicePlace, FloatArray]]
) -> list[LocalSpeaker]:
    """The speakers of ``chunks``, by the directions of what was embedded; without those of zeros.

    A speaker's direction is the mean of the stretches', by how much was embedded of each.
    """
    units: defaultdict[tuple[int, int], list[tuple[Stretch | None, FloatArray]]]
    units = defaultdict(list)
    for place, unit in embedded:
        if unit.any():
            units[place.chunk, place.speaker].append((place.stretch, unit))
    found = []
    for (chunk, speaker), heard in units.items():
        total = np.sum([_weight(stretch) * unit for stretch, unit in heard], axis=0)
        length = np.linalg.norm(total)
        if length > 0:
            alone = tuple((stretch, unit) for stretch, unit in heard if stretch is not None)
            solo_s = chunks[chunk].solo_s(speaker)
            found.append(LocalSpeaker(chunk, speaker, solo_s, total / length, alone))
    return found


def direction(embedding: FloatArray) -> FloatArray:
    """The embedding at a length of 1, and itself if it has that; zeros stay zeros."""
    length = np.linalg.norm(embedding)
    return embedding if length == 0 or abs(length - 1) < _ROUNDING else embedding / length


def _weight(stretch: Stretch | None) -> np.float32:
    """By how much of it was embedded."""
    n_frames = 1 if stretch is None else stretch[1] - stretch[0]
    return np.float32(min(n_frames, MOST_EMBEDDED_S * SAMPLE_RATE_HZ / FRAME_SAMPLES))


def max_distance(fingerprint: str) -> float:
    """From where on two clusters of that model's embeddings are two people."""
    return _MAX_DISTANCES.get(fingerprint.partition(".")[0], _MAX_DISTANCE)


def find_people(
    local: Sequence[LocalSpeaker],
    most_apart: float = _MAX_DISTANCE,
    least: int = 1,
    most: int | None = None,
) -> People | None:
    """Who is who; None: there is nobody.

    Args:
        local: who was heard.
        most_apart: see ``max_distance``.
        least: how many people there are at least, where so many were heard.
        most: how many there are at most.
    """
    if not local:
        return None
    heard = [part for one in local for part in _parts(one, most_apart + _TAKEN_FOR_ONE)]
    long_enough = [part for part in heard if part.solo_s >= _LEAST_EVIDENCE_S]
    if len(long_enough) < least:
        long_enough = heard
    evidence = long_enough[:: -(-len(long_enough) // _MOST_CLUSTERED)]
    units = np.stack([part.unit for part in evidence])
    labels = average_linkage(units, most_apart, least, most)
    weights = np.array([part.solo_s for part in evidence], np.float32)
    centroids = _centroids(units, weights, labels)
    assigned = _assign(local, centroids)
    return _numbered(centroids, assigned, _elsewhere(local, assigned, centroids))


def _parts(one: LocalSpeaker, most_apart: float) -> list[Evidence]:
    """The people that the network took for ``one``: nearly always one."""
    units = np.stack([unit for _, unit in one.stretches] or [one.unit])
    labels = average_linkage(units, most_apart)
    if not labels.any():
        return [Evidence(one.unit, one.solo_s)]
    weights = np.array([_weight(stretch) for stretch, _ in one.stretches])
    frames = np.bincount(labels, [end - start for (start, end), _ in one.stretches])
    seconds = frames * FRAME_SAMPLES / SAMPLE_RATE_HZ
    return list(map(Evidence, _centroids(units, weights, labels), seconds.tolist()))


def _centroids(units: FloatArray, weights: FloatArray, labels: IntArray) -> FloatArray:
    sums = np.zeros((int(labels.max()) + 1, units.shape[1]), np.float32)
    np.add.at(sums, labels, units * weights[:, None])
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


def _elsewhere(
    local: Sequence[LocalSpeaker], assigned: dict[tuple[int, int], int], centroids: FloatArray
) -> dict[tuple[int, int], list[tuple[Stretch, int]]]:
    """The stretches of speakers who have several that are clearly more like somebody else."""
    elsewhere: defaultdict[tuple[int, int], list[tuple[Stretch, int]]] = defaultdict(list)
    for one in local:
        if len(one.stretches) > 1:
            key = one.chunk, one.speaker
            for stretch, unit in one.stretches:
                likeness = centroids @ unit
                best = int(likeness.argmax())
                if likeness[best] - likeness[assigned[key]] > _CLEARLY:
                    elsewhere[key].append((stretch, best))
    return dict(elsewhere)


def _numbered(
    centroids: FloatArray,
    of_local: dict[tuple[int, int], int],
    elsewhere: dict[tuple[int, int], list[tuple[Stretch, int]]],
) -> People:
    """Those to whom anything was assigned, numbered as they come in first."""
    whose = [of_local[key] for key in sorted(of_local)]
    whose += [person for key in sorted(elsewhere) for _, person in elsewhere[key]]
    in_order = list(dict.fromkeys(whose))
    number = {person: index for index, person in enumerate(in_order)}
    return People(
        centroids[in_order],
        {key: number[who] for key, who in of_local.items()},
        {
            key: [(stretch, number[who]) for stretch, who in moved]
            for key, moved in elsewhere.items()
        },
    )
