"""The voices of groups of utterances, such as labels, and how each utterance fits its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidecar.corpus.evidence import Evidence, Floats, probability_of_own
from sidecar.corpus.utterances import FloatArray

Ints = NDArray[np.int64]

# Cosines of so many utterances with all groups are in memory at once, with 10,000 groups 320 MB.
_AT_ONCE = 8192


class Fit(NamedTuple):
    """How utterances fit, each shape (n,).

    Attributes:
        own: the cosine with the rest of their group; nan where there is no rest.
        other: the other group that is most alike; -1 where there is no other.
        others: the cosine with that.
        other_llrs: the log-likelihood ratio of that.
        probability: how probable it is that they belong to their own group.
    """

    own: Floats
    other: Ints
    others: Floats
    other_llrs: Floats
    probability: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """What is known of n groups.

    Attributes:
        sums: of their utterances' embeddings, shape (n, dim).
        counts: of utterances, shape (n,).
        speech_s: seconds of speech in all, shape (n,).
    """

    sums: FloatArray
    counts: Ints
    speech_s: Floats

    @property
    def units(self) -> FloatArray:
        """The direction of each, shape (n, dim); zeros of an empty one."""
        return _units(self.sums)

    def own_cosines(self, units: FloatArray, groups: Ints) -> Floats:
        """The cosine of each of ``units`` with the rest of its group; nan where there is none."""
        rest = self.sums[groups] - units
        cosines: Floats = np.einsum("ij,ij->i", _units(rest), units).astype(float)
        cosines[self.counts[groups] < 2] = np.nan
        return cosines

    def fit(
        self,
        units: FloatArray,
        groups: Ints,
        speech_s: Floats,
        evidence: Evidence,
        twins: Iterable[tuple[int, int]] = (),
    ) -> Fit:
        """How utterances fit their groups.

        Args:
            units: their embeddings, shape (n, dim).
            groups: theirs, shape (n,).
            speech_s: how much speech they have, shape (n,).
            evidence: what cosines say.
            twins: pairs of groups that are one person's: neither is the other of its twin.
        """
        directions, twins = self.units, tuple(twins)
        parts = []
        for start in range(0, len(units), _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            cosines = units[here] @ directions.T
            mine = groups[here]
            cosines[np.arange(len(mine)), mine] = -np.inf
            for a, b in twins:
                cosines[mine == a, b] = cosines[mine == b, a] = -np.inf
            other = cosines.argmax(axis=1)
            parts.append((other, cosines[np.arange(len(mine)), other].astype(float)))
        other, others = (np.concatenate(side) for side in zip(*parts, strict=True))
        own = self.own_cosines(units, groups)
        rest_s = self.speech_s[groups] - speech_s
        own_llrs = np.where(
            np.isnan(own), np.nan, evidence.llrs(np.nan_to_num(own), speech_s, rest_s)
        )
        is_alone = np.isneginf(others)
        other_llrs = evidence.llrs(np.where(is_alone, -1.0, others), speech_s, self.speech_s[other])
        other = np.where(is_alone, -1, other)
        return Fit(own, other, others, other_llrs, probability_of_own(own_llrs, other_llrs))


def gather(pieces: Iterable[FloatArray], groups: Ints, speech_s: Floats, n_groups: int) -> Groups:
    """The groups of all embeddings in ``pieces``; who has -1 in ``groups`` is in none."""
    sums: FloatArray | None = None
    for units, mine in beside(pieces, groups):
        if sums is None:
            sums = np.zeros((n_groups, units.shape[1]), np.float32)
        np.add.at(sums, mine[mine >= 0], units[mine >= 0])
    assert sums is not None
    has_group = groups >= 0
    mine = groups[has_group]
    counts = np.bincount(mine, minlength=n_groups).astype(np.int64)
    totals = np.bincount(mine, weights=speech_s[has_group], minlength=n_groups)
    return Groups(sums, counts, totals.astype(np.float64))


def beside(
    pieces: Iterable[FloatArray], *columns: NDArray[np.generic]
) -> Iterator[tuple[Any, ...]]:
    """Each piece, with what ``columns``, shape (n,), have of its rows."""
    start = 0
    for units in pieces:
        here = slice(start, start + len(units))
        yield units, *(column[here] for column in columns)
        start += len(units)


def _units(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: FloatArray = vectors / np.maximum(lengths, np.float32(1e-12))
    return units
