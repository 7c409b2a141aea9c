"""Who a turn's speaker is, among those who have spoken in the stream so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# From so much speech on a voice that is like nobody's is somebody new, in seconds.
_NEW_FROM_S = 1.25
# What a cosine is worth less where there is little speech: per inverse second.
_SHORT = 0.08
# By how much a likeness must stand out from the next one's, where there is little speech.
_MARGIN = 0.06
# What it counts that the segmentation network takes both for one.
_LINKED = 0.15


@dataclass(slots=True, eq=False)
class LiveSpeaker:
    """One who has spoken.

    Attributes:
        label: what they are called.
        total: the sum of their unit vectors, by seconds of speech.
        speech_s: those seconds.
        is_final: whether a final turn has had the label.
    """

    label: str
    total: FloatArray
    speech_s: float
    is_final: bool = True

    def with_more(self, vector: FloatArray, speech_s: float) -> tuple[FloatArray, float]:
        """Their direction, and their seconds, with more speech of theirs."""
        return unit(self.total + vector * np.float32(speech_s)), self.speech_s + speech_s


class LiveSpeakers:
    """Those who have spoken in the stream."""

    def __init__(self, most_apart: float, known: Sequence[LiveSpeaker]) -> None:
        self._least_likeness = 1 - most_apart
        self.all: list[LiveSpeaker] = list(known)

    def find(self, label: str) -> LiveSpeaker | None:
        """Who has that label."""
        return next((one for one in self.all if one.label == label), None)

    def who(
        self,
        vector: FloatArray,
        speech_s: float,
        linked: frozenset[str],
        others: frozenset[str],
    ) -> str | None:
        """The label of who it is that said ``speech_s`` seconds with the direction ``vector``.

        Args:
            vector: a unit vector.
            speech_s: how long they spoke alone.
            linked: the labels of earlier turns that the network takes for the same speaker's.
            others: the labels of those who speak at the same time.
        """
        likeness = sorted(
            (
                (float(unit(one.total) @ vector) + _LINKED * (one.label in linked), one.label)
                for one in self.all
                if one.label not in others
            ),
            reverse=True,
        )
        worth = _SHORT / max(speech_s, 0.3)
        best, label = likeness[0] if likeness else (-1.0, "")
        second = likeness[1][0] if len(likeness) > 1 else -1.0
        if best >= self._least_likeness - worth / 2 and best - second >= _MARGIN / speech_s:
            return label
        if speech_s < _NEW_FROM_S:
            return None
        if best >= self._least_likeness:
            return label
        return self.free_label()

    def free_label(self) -> str:
        """The first that nobody has."""
        taken = {one.label for one in self.all}
        number = 1
        while f"S{number}" in taken:
            number += 1
        return f"S{number}"


def unit(vector: FloatArray) -> FloatArray:
    """Its direction; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    scaled: FloatArray = vector / np.float32(length) if length > 0 else vector
    return scaled
