"""``diarize``: who speaks when in an audio; its params and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from protocol.gallery_reports import PersonName
from protocol.params import Audio
from protocol.reports import AudioWarning


@dataclass(frozen=True, slots=True)
class DiarizeParams:
    """``diarize``: who speaks when.

    Attributes:
        n_speakers: how many there are, where that is known.
        min_speakers, max_speakers: between how many there are.
        identify: whether the gallery is asked who they are.
        exclusive: one speaks at a time, as transcripts want it.
    """

    method: ClassVar[str] = "diarize"
    audio: Audio
    n_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    identify: bool = False
    exclusive: bool = False
    deadline_ms: float | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class TurnReport:
    """One speaker speaks, in seconds of the audio; ``overlap``: somebody else does then, too."""

    start_s: float
    end_s: float
    speaker: str
    overlap: bool


@dataclass(frozen=True, slots=True)
class SpeakerReport:
    """One of those who speak.

    Attributes:
        label: such as ``S1``; they are numbered by who speaks first.
        embedding: of all of their speech, dim x f32le, of length 1.
        speech_s: how long they speak, in seconds.
        person: who of the gallery it is; None: nobody, or it was not asked.
        llr, probability: of that person, as ``identify`` tells them.
        also: of a stream: labels that turned out to be this speaker's, too.
    """

    label: str
    embedding: bytes
    speech_s: float
    person: PersonName | None = None
    llr: float | None = None
    probability: float | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiarizeResult:
    """Who speaks when: ``turns`` in the order of their starts; nobody speaks: there are none."""

    turns: tuple[TurnReport, ...]
    speakers: tuple[SpeakerReport, ...]
    dim: int
    model: str
    fingerprint: str
    duration_s: float
    warnings: tuple[AudioWarning, ...] = ()
