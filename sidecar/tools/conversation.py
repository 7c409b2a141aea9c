"""A conversation by its voices: which turns belong together, and how well that fits. Pure."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TypeAlias

from sidecar.tools.rttm import Turn

MIN_TURN_S = 1.0
# Less speech gives a less certain embedding.
SURE_TURN_S = 1.5

# Cosines of all pairs of n turns: n x n, symmetric, 1 on the diagonal.
Similarity: TypeAlias = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """A turn and what came back for it.

    ``embedding`` has length 1; ``reply_ms`` is the host's wait, ``compute_ms`` the device's part.
    """

    number: int
    turn: Turn
    embedding: tuple[float, ...]
    reply_ms: float
    compute_ms: float

    @property
    def is_short(self) -> bool:
        """Whether it holds too little speech to count in the figures."""
        return self.turn.duration_s < SURE_TURN_S


def compare(heard: Sequence[HeardTurn]) -> list[list[float]]:
    """The cosines of all pairs, which for embeddings of length 1 are their dot products."""
    similarity = [[1.0] * len(heard) for _ in heard]
    for i, j in combinations(range(len(heard)), 2):
        products = (a * b for a, b in zip(heard[i].embedding, heard[j].embedding, strict=True))
        similarity[i][j] = similarity[j][i] = math.fsum(products)
    return similarity


def group_voices(similarity: Similarity, threshold: float) -> list[list[int]]:
    """Agglomerative clustering with average linkage: the turns of each voice, by its first turn.

    The two groups with the highest mean cosine between their turns are joined, as long as that
    mean is not below ``threshold``.
    """
    groups = [[index] for index in range(len(similarity))]
    # Of all cosines between two groups.
    sums = [list(row) for row in similarity]
    while len(groups) > 1:
        mean, a, b = max(
            (sums[a][b] / (len(groups[a]) * len(groups[b])), a, b)
            for a, b in combinations(range(len(groups)), 2)
        )
        if mean < threshold:
            break
        groups[a] += groups.pop(b)
        sums[a] = [x + y for x, y in zip(sums[a], sums.pop(b), strict=True)]
        for row in sums:
            del row[b]
        for row, with_a in zip(sums, sums[a], strict=True):
            row[a] = with_a
    return sorted(sorted(group) for group in groups)


def voice_name(index: int) -> str:
    """A, B, ... Z, then V27, V28, ..."""
    return string.ascii_uppercase[index] if index < 26 else f"V{index + 1}"


def nearest(similarity: Similarity, index: int, among: Sequence[int]) -> int | None:
    """The one ``among`` the turns, itself excepted, that sounds most like turn ``index``."""
    others = (other for other in among if other != index)
    return max(others, key=lambda other: similarity[index][other], default=None)


class Conversation:
    """What was heard, in the order of time.

    ``groups`` has for each voice the places of its turns in ``heard``: turns are one voice's from
    a mean cosine of ``threshold`` on.
    """

    def __init__(self, heard: Sequence[HeardTurn], threshold: float) -> None:
        self.heard = heard
        self.threshold = threshold
        self.similarity = compare(heard)
        self.groups = group_voices(self.similarity, threshold)

    @property
    def is_annotated(self) -> bool:
        """Whether all speakers are known."""
        return all(one.turn.speaker is not None for one in self.heard)


@dataclass(frozen=True, slots=True)
class Figures:
    """How the cosines of turns of ``SURE_TURN_S`` and more fit the annotated speakers.

    A mean is None where there is no such pair. ``strays`` are the numbers of the turns whose
    nearest other turn is another speaker's.
    """

    n_turns: int
    mean_within: float | None
    mean_across: float | None
    strays: tuple[int, ...]


def measure(conversation: Conversation) -> Figures:
    """The figures of annotated turns."""
    heard, similarity = conversation.heard, conversation.similarity
    sure = [index for index, one in enumerate(heard) if not one.is_short]
    within: list[float] = []
    across: list[float] = []
    for i, j in combinations(sure, 2):
        is_same = heard[i].turn.speaker == heard[j].turn.speaker
        (within if is_same else across).append(similarity[i][j])
    strays = []
    for index in sure:
        other = nearest(similarity, index, sure)
        if other is not None and heard[other].turn.speaker != heard[index].turn.speaker:
            strays.append(heard[index].number)
    return Figures(
        n_turns=len(sure),
        mean_within=fmean(within) if within else None,
        mean_across=fmean(across) if across else None,
        strays=tuple(strays),
    )


def matches_annotation(conversation: Conversation) -> bool:
    """Whether there is one voice for each annotated speaker, with exactly the speaker's turns."""
    groups = conversation.groups
    speakers = [{conversation.heard[index].turn.speaker for index in group} for group in groups]
    return all(len(names) == 1 for names in speakers) and len(set().union(*speakers)) == len(groups)
