"""Who a turn's speaker is, among those who have spoken in the stream so far: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Of seconds of speech: from so much on a voice that is like nobody's is somebody new.
_NEW_FROM_S = 1.25
# A voice of a second may be as much less like its speaker's, and of half a second twice that.
_SHORT = 0.05
# By how much somebody has to be more like it than the next one, where it is a second's.
_MARGIN = 0.05
# What it counts that the segmentation network takes them for one, or for two.
_LINKED, _UNLIKE = 0.15, 0.1
# And that the gallery does.
_SAME_PERSON = 0.15
# What is less is taken for as much, in seconds.
_LEAST_S = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class HeardVoice:
    """What was embedded of somebody: a unit vector, and the seconds of speech it is of."""

    unit: FloatArray
    speech_s: float


@dataclass(slots=True, eq=False)
class LiveSpeaker:
    """One who has spoken.

    Attributes:
        label: what they are called.
        voice: of all that they have said.
        person: as the gallery knows them, by an id; None: it does not.
    """

    label: str
    voice: HeardVoice
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Company:
    """What the segmentation network tells of a turn: the labels of earlier ones.

    Attributes:
        linked: that it takes for the same person's.
        unlike: that it takes for somebody else's.
    """

    linked: Collection[str]
    unlike: Collection[str]


class LiveSpeakers:
    """Those who have spoken in the stream.

    Args:
        most_apart: see ``max_distance``.
        known: who had spoken before it.
    """

    def __init__(self, most_apart: float, known: Iterable[LiveSpeaker]) -> None:
        self._least = 1 - most_apart
        self._all = {one.label: one for one in known}

    def get(self, label: str) -> LiveSpeaker | None:
        """Who has that label."""
        return self._all.get(label)

    def add(self, label: str, voice: HeardVoice, person: str | None) -> LiveSpeaker:
        """The one with that label has said this, for good."""
        before = self._all.get(label)
        speaker = LiveSpeaker(label, mean([voice] if before is None else [before.voice, voice]))
        speaker.person = person or (None if before is None else before.person)
        self._all[label] = speaker
        return speaker

    def who(
        self, voice: HeardVoice | None, person: str | None, company: Company, taken: Collection[str]
    ) -> str | None:
        """The label of who it is; None: that cannot be told yet.

        Args:
            voice: theirs; None: not embedded yet.
            person: whom the gallery knows by it.
            company: what the network tells.
            taken: labels of others who are not among those who have spoken yet.
        """
        if voice is None:
            [only] = company.linked if len(company.linked) == 1 else [None]
            return only
        alike = sorted(
            (
                (self._likeness(one, voice, person, company), one.label)
                for one in self._all.values()
            ),
            reverse=True,
        )
        best, label = alike[0] if alike else (-1.0, None)
        second = alike[1][0] if len(alike) > 1 else -1.0
        short = 1 / max(voice.speech_s, _LEAST_S)
        if best >= self._least - _SHORT * short and best - second >= _MARGIN * short:
            return label
        if voice.speech_s < _NEW_FROM_S:
            return None
        if best >= self._least - _SHORT * short:
            return label
        return free_label({*self._all, *taken})

    def _likeness(
        self, one: LiveSpeaker, voice: HeardVoice, person: str | None, company: Company
    ) -> float:
        return (
            float(one.voice.unit @ voice.unit)
            + _LINKED * (one.label in company.linked)
            - _UNLIKE * (one.label in company.unlike)
            + _SAME_PERSON * (person is not None and one.person == person)
        )


def mean(voices: Iterable[HeardVoice]) -> HeardVoice:
    """All of one person's, by seconds of speech."""
    voices = list(voices)
    total = np.sum([np.float32(voice.speech_s) * voice.unit for voice in voices], axis=0)
    return HeardVoice(unit(total), sum(voice.speech_s for voice in voices))


def unit(vector: FloatArray) -> FloatArray:
    """Its direction; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return (vector / np.float32(length or 1.0)).astype(np.float32)


def free_label(taken: Collection[str]) -> str:
    """The first that is not ``taken``."""
    number = 1
    while f"S{number}" in taken:
        number += 1
    return f"S{number}"
