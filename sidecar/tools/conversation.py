"""A conversation by its voices: which turns belong together, and how well that fits. Pure."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sidecar.tools.recording import Turn

# Less speech gives a less certain embedding.
SURE_TURN_S = 1.5
# The sample with CAM++ must do as well as this.
MIN_MEAN_WITHIN = 0.65
MAX_MEAN_ACROSS = 0.38

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

    ``groups`` has for each voice the places of its turns in ``heard``, ``voices`` for each turn its
    voice: turns are one voice's from a mean cosine of ``threshold`` on. ``refused`` says of each
    turn that has no embedding why.
    """

    def __init__(self, heard: list[HeardTurn], threshold: float, refused: list[str]) -> None:
        self.heard, self.threshold, self.refused = heard, threshold, refused
        embeddings = np.array([one.embedding for one in heard], np.float64)
        self.similarity: Similarity = embeddings @ embeddings.T
        self.groups = group_voices(self.similarity, threshold)
        voices = {place: voice for voice, group in enumerate(self.groups) for place in group}
        self.voices = [voices[place] for place in range(len(heard))]
        self.is_annotated = all(one.turn.speaker is not None for one in heard)


def group_voices(similarity: Similarity, threshold: float) -> list[list[int]]:
    """Agglomerative clustering with average linkage: the turns of each voice, by its first turn.

    The two groups with the highest mean cosine between their turns are joined, as long as that
    mean is not below ``threshold``.
    """
    members = np.eye(len(similarity))  # a row for each group: 1 for its turns
    while len(members) > 1:
        sizes = members.sum(axis=1)
        means = members @ similarity @ members.T / np.outer(sizes, sizes)
        np.fill_diagonal(means, -np.inf)
        a, b = divmod(int(means.argmax()), len(members))
        if means[a, b] < threshold:
            break
        members[a] += members[b]
        members = np.delete(members, b, axis=0)
    return sorted(np.flatnonzero(turns).tolist() for turns in members)


def voice_name(index: int) -> str:
    """A, B, ... Z, then V27, V28, ..."""
    return string.ascii_uppercase[index] if index < 26 else f"V{index + 1}"


def nearest(similarity: Similarity) -> list[int]:
    """For each turn the place of the other one that sounds most like it; a lone turn has none."""
    if len(similarity) < 2:
        return []
    apart = np.where(np.eye(len(similarity), dtype=bool), -np.inf, similarity)
    return [int(place) for place in apart.argmax(axis=1)]


class Figure(NamedTuple):
    """How well the voices fit the annotation: a value, and what it is where all is well."""

    name: str
    value: str
    bar: str
    is_met: bool


def measure(conversation: Conversation) -> list[Figure]:
    """The figures of annotated turns: of those of ``SURE_TURN_S`` and more, but for the last."""
    heard = conversation.heard
    speakers = np.array([one.turn.speaker for one in heard])
    people = sorted(np.flatnonzero(speakers == speaker).tolist() for speaker in set(speakers))
    is_match = people == conversation.groups
    sure = [place for place, one in enumerate(heard) if not one.is_short]
    similarity, speakers = conversation.similarity[np.ix_(sure, sure)], speakers[sure]
    is_same = speakers[:, None] == speakers
    is_pair = np.triu(np.ones_like(is_same), 1)
    kinds = (similarity[is_pair & kind] for kind in (is_same, ~is_same))
    within, across = (float(cosines.mean()) if cosines.size else np.nan for cosines in kinds)
    strays = [place for place, near in enumerate(nearest(similarity)) if not is_same[place, near]]
    own, least, most = len(sure) - len(strays), MIN_MEAN_WITHIN, MAX_MEAN_ACROSS
    return [
        Figure("mean within a speaker", f"{within:.3f}", f"at least {least}", within >= least),
        Figure("mean across speakers", f"{across:.3f}", f"at most {most}", across <= most),
        Figure("nearest turn is their own", f"{own} of {len(sure)}", "all", not strays),
        Figure("voices match the people", "yes" if is_match else "no", "yes", is_match),
    ]
