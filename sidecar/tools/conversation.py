"""A conversation by its voices: which turns belong together, and how well that fits. Pure."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sidecar.tools.rttm import Turn

MIN_TURN_S = 1.0
# Less speech gives a less certain embedding.
SURE_TURN_S = 1.5

# Cosines of all pairs of n turns: n x n, symmetric, 1 on the diagonal.
Similarity: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """A turn and what came back for it.

    ``embedding`` has length 1; ``reply_ms`` is the host's wait, ``compute_ms`` the device's part.
    """

    number: int
    turn: Turn
    embedding: NDArray[np.float32]
    reply_ms: float
    compute_ms: float

    @property
    def is_short(self) -> bool:
        """Whether it holds too little speech to count in the figures."""
        return self.turn.duration_s < SURE_TURN_S


class Conversation:
    """What was heard, in the order of time.

    ``groups`` has for each voice the places of its turns in ``heard``: turns are one voice's from
    a mean cosine of ``threshold`` on.
    """

    def __init__(self, heard: Sequence[HeardTurn], threshold: float) -> None:
        self.heard = heard
        self.threshold = threshold
        embeddings = np.array([one.embedding for one in heard], np.float64)
        self.similarity: Similarity = embeddings @ embeddings.T
        self.groups = group_voices(self.similarity, threshold)
        self.is_annotated = all(one.turn.speaker is not None for one in heard)


def group_voices(similarity: Similarity, threshold: float) -> list[list[int]]:
    """Agglomerative clustering with average linkage: the turns of each voice, by its first turn.

    The two groups with the highest mean cosine between their turns are joined, as long as that
    mean is not below ``threshold``.
    """
    groups = [[index] for index in range(len(similarity))]
    # Of all cosines between two groups.
    sums = similarity.copy()
    while len(groups) > 1:
        sizes = [len(group) for group in groups]
        means = sums / np.outer(sizes, sizes)
        np.fill_diagonal(means, -np.inf)
        a, b = sorted(divmod(int(means.argmax()), len(groups)))
        if means[a, b] < threshold:
            break
        groups[a] += groups.pop(b)
        sums[a] += sums[b]
        sums[:, a] += sums[:, b]
        sums = np.delete(np.delete(sums, b, axis=0), b, axis=1)
    return sorted(sorted(group) for group in groups)


def voice_name(index: int) -> str:
    """A, B, ... Z, then V27, V28, ..."""
    return string.ascii_uppercase[index] if index < 26 else f"V{index + 1}"


def nearest(similarity: Similarity) -> list[int]:
    """For each turn the place of the other one that sounds most like it; a lone turn has none."""
    if len(similarity) < 2:
        return []
    apart = similarity.copy()
    np.fill_diagonal(apart, -np.inf)
    return [int(place) for place in apart.argmax(axis=1)]


@dataclass(frozen=True, slots=True)
class Figures:
    """How the cosines of turns of ``SURE_TURN_S`` and more fit the annotated speakers.

    A mean is NaN where there is no such pair. ``strays`` are the numbers of the turns whose
    nearest other turn is another speaker's.
    """

    n_turns: int
    mean_within: float
    mean_across: float
    strays: tuple[int, ...]


def measure(conversation: Conversation) -> Figures:
    """The figures of annotated turns."""
    places = [place for place, one in enumerate(conversation.heard) if not one.is_short]
    sure = [conversation.heard[place] for place in places]
    speakers = np.array([one.turn.speaker for one in sure])
    similarity = conversation.similarity[np.ix_(places, places)]
    is_same = speakers[:, None] == speakers
    is_pair = np.triu(np.ones_like(is_same), 1)
    near = zip(sure, nearest(similarity), strict=False)
    return Figures(
        n_turns=len(sure),
        mean_within=_mean(similarity[is_pair & is_same]),
        mean_across=_mean(similarity[is_pair & ~is_same]),
        strays=tuple(o.number for o, other in near if o.turn.speaker != sure[other].turn.speaker),
    )


def _mean(cosines: Similarity) -> float:
    return float(cosines.mean()) if cosines.size else np.nan


def matches_annotation(conversation: Conversation) -> bool:
    """Whether there is one voice for each annotated speaker, with exactly the speaker's turns."""
    groups = conversation.groups
    speakers = [{conversation.heard[index].turn.speaker for index in group} for group in groups]
    return all(len(names) == 1 for names in speakers) and len(set().union(*speakers)) == len(groups)
