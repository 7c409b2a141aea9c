"""Who a turn's speaker is, among those who have spoken in the stream so far: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.diarization.speakers import direction

FloatArray = NDArray[np.float32]

# From so many seconds on a voice that is like nobody's is somebody new.
_NEW_FROM_S = 1.0
# How much more likeness is asked for than holds a cluster together (see ``max_distance``); and how
# much less of a voice of one second: of half a second, twice that.
_MORE, _SHORT = 0.1, 0.11
# By how much somebody has to be more like it than the next one, likewise.
_MARGIN = 0.03
# What it counts that the segmentation network takes two for one, or one for two; and that the
# gallery does.
_LINKED, _SAME_PERSON = 0.05, 0.15
# What is less is taken for as much, in seconds.
_LEAST_S = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class HeardVoice:
    """What was embedded of somebody: a unit vector, and the seconds of speech it is of."""

    unit: FloatArray
    speech_s: float


@dataclass(frozen=True, slots=True, eq=False)
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


@dataclass(frozen=True, slots=True, eq=False)
class Clues:
    """What tells who somebody is.

    Attributes:
        voice: theirs; None: not embedded yet.
        person: whom the gallery knows by it.
        linked: labels that the segmentation network takes for theirs.
        unlike: labels that it takes for somebody else's.
        is_over: they speak no more, as far as can be seen.
    """

    voice: HeardVoice | None
    person: str | None
    linked: Collection[str]
    unlike: Collection[str]
    is_over: bool = False


# Somebody who has not spoken before.
NEW = ""


def who(clues: Clues, speakers: Iterable[LiveSpeaker], most_apart: float) -> str | None:
    """The label of one of ``speakers``, or ``NEW``; None: that cannot be told yet.

    ``most_apart``: see ``max_distance``.
    """
    if clues.voice is None:
        return _by_company(clues)
    alike = sorted(((_likeness(one, clues), one) for one in speakers), key=lambda pair: -pair[0])
    best = alike[0][0] if alike else -1.0
    second = alike[1][0] if len(alike) > 1 else -1.0
    short = 1 / max(clues.voice.speech_s, _LEAST_S)
    is_alike = best >= 1 - most_apart + _MORE - _SHORT * short
    if is_alike and (best - second >= _MARGIN * short or clues.voice.speech_s >= _NEW_FROM_S):
        return alike[0][1].label
    if clues.person is not None and all(one.person != clues.person for _, one in alike):
        return NEW
    return NEW if clues.voice.speech_s >= _NEW_FROM_S else _by_company(clues)


def _by_company(clues: Clues) -> str | None:
    """Whom the segmentation network takes them for.

    While somebody begins to speak, it often takes them for whoever spoke last.
    """
    return next(iter(clues.linked)) if clues.is_over and len(clues.linked) == 1 else None


def _likeness(one: LiveSpeaker, clues: Clues) -> float:
    assert clues.voice is not None
    company = int(one.label in clues.linked) - int(one.label in clues.unlike)
    agreement = _agreement(one.person, clues.person)
    cosine = float(one.voice.unit @ clues.voice.unit)
    return cosine + _LINKED * company + _SAME_PERSON * agreement


def _agreement(one: str | None, other: str | None) -> int:
    if one is None or other is None:
        return 0
    return 1 if one == other else -1


def mean(voices: Iterable[HeardVoice]) -> HeardVoice:
    """All of one person's, by seconds of speech."""
    voices = list(voices)
    total = np.sum([np.float32(voice.speech_s) * voice.unit for voice in voices], axis=0)
    return HeardVoice(direction(total), sum(voice.speech_s for voice in voices))


def free_label(taken: Collection[str]) -> str:
    """The first that is not ``taken``."""
    number = 1
    while f"S{number}" in taken:
        number += 1
    return f"S{number}"
