"""Who speaks when, as a Python program gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol.diarization import TurnReport
from protocol.gallery_reports import PersonName
from protocol.python.embedding import Numbers, read_numbers
from protocol.python.results import Warnings, read


@dataclass(frozen=True, slots=True)
class Speaker:
    """One of those who speak.

    ``stored_embedding(speaker.embedding, diarization.fingerprint, speaker.speech_s)`` is a voice
    to enrol and to score.

    Attributes:
        label: such as ``S1``; they are numbered by who speaks first.
        embedding: of all of their speech, ``dim`` numbers, of length 1.
        speech_s: how long they speak, in seconds.
        person: who of the gallery it is; None: nobody, or it was not asked.
        llr, probability: of that person, as ``people.identify`` tells them.
        also: of a stream: labels that turned out to be theirs, too.
    """

    label: str
    embedding: Numbers
    speech_s: float
    person: PersonName | None = None
    llr: float | None = None
    probability: float | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who speaks when: ``turns`` in the order of their starts; nobody speaks: there are none."""

    turns: tuple[TurnReport, ...]
    speakers: tuple[Speaker, ...]
    dim: int
    model: str
    fingerprint: str
    duration_s: float
    warnings: Warnings = ()


def read_diarization(result: Mapping[str, Any]) -> Diarization:
    """The result of ``diarize``."""
    turns = tuple(read(TurnReport, turn) for turn in result["turns"])
    speakers = tuple(_read_speaker(speaker) for speaker in result["speakers"])
    return read(Diarization, {**result, "turns": turns, "speakers": speakers})


def _read_speaker(values: Mapping[str, Any]) -> Speaker:
    person = values.get("person")
    named = {
        "embedding": read_numbers(values["embedding"]),
        "person": None if person is None else read(PersonName, person),
        "also": tuple(values.get("also") or ()),
    }
    return read(Speaker, {**values, **named})
