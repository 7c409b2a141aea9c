"""What the gallery of people tells: the results of its methods. Times are ISO 8601, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.quality import Quality
from protocol.reports import AudioWarning


@dataclass(frozen=True, slots=True)
class PersonName:
    """Who it is."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PersonReport:
    """One person; ``speech_s``, ``needed_s`` and ``progress`` as for ``enroll``."""

    id: str
    name: str
    prints: int
    speech_s: float
    needed_s: float
    progress: float
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class PrintReport:
    """One print of a person: ``audios`` of ``speech_s`` in all; ``adapted``: by ``identify``.

    ``usable``: whether it is of the model that serves.
    """

    id: str
    speech_s: float
    audios: int
    fingerprint: str
    usable: bool
    adapted: bool
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """One person with all prints, the oldest first."""

    person: PersonReport
    prints: tuple[PrintReport, ...]


@dataclass(frozen=True, slots=True)
class PeopleReport:
    """People in the order in which they were enrolled; ``next``: send it as ``after`` for more."""

    people: tuple[PersonReport, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class EnrollResult:
    """What became of an enrolment.

    Attributes:
        created: whether the person is new.
        used: whether anything of what was sent was kept; if not, ``warnings`` say why.
        progress: how far the person is from having a print, 0 to 1; 1: there is one.
        speech_s: the seconds of speech that were kept of this person so far, in all.
        needed_s: the seconds of speech that are missing for a print; 0: there is one.
        agreement: the mean cosine of what was sent and what was there of this person, or of what
            was sent among itself; None: there is nothing to compare.
        prints: how many the person has now.
    """

    id: str
    name: str
    created: bool
    used: bool
    progress: float
    speech_s: float
    needed_s: float
    agreement: float | None
    prints: int
    quality: Quality | None = None
    warnings: tuple[AudioWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchReport:
    """How alike a voice is to one person; see ``ScoreResult``."""

    id: str
    name: str
    cosine: float
    llr: float | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Whether it is that person; see ``ScoreResult``. ``same`` is None where it cannot be told."""

    id: str
    name: str
    cosine: float
    llr: float | None
    probability: float | None
    same: bool | None
    threshold: float | None
    at: str | None
    speech_s: float | None
    fingerprint: str
    quality: Quality | None = None
    warnings: tuple[AudioWarning, ...] = ()


Decision: TypeAlias = Literal["known", "unknown"]


@dataclass(frozen=True, slots=True)
class IdentifyResult:
    """Whose voice it is: ``person``, None where the ``decision`` is ``unknown``.

    ``matches``: the most alike first. Their probabilities are those of one of them, or nobody of
    them, having spoken. ``adapted``: the print that took this audio in.
    """

    decision: Decision
    person: PersonName | None
    matches: tuple[MatchReport, ...]
    threshold: float | None
    at: str | None
    speech_s: float | None
    fingerprint: str
    adapted: str | None = None
    quality: Quality | None = None
    warnings: tuple[AudioWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """What is gone: the person, or one print."""

    id: str
    name: str
    prints: int


@dataclass(frozen=True, slots=True)
class ExportResult:
    """``people`` of them as ``data``, opaque; ``next``: send it as ``after`` for those behind."""

    data: bytes
    people: int
    next: str | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many were added, replaced, and kept as they were."""

    added: int
    replaced: int
    kept: int


GalleryResult: TypeAlias = (
    PersonDetails
    | PersonReport
    | PeopleReport
    | EnrollResult
    | VerifyResult
    | IdentifyResult
    | ForgetResult
    | ExportResult
    | ImportResult
)
