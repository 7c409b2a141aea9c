"""What a host asks of the gallery of people: the params of its methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias, get_args

from protocol.diarization import DiarizeParams
from protocol.params import Audio, SpeechUse, StoredEmbedding, Voice


@dataclass(frozen=True, slots=True)
class EnrollParams:
    """``enroll``: a new person ``name``, or more of the person ``id``.

    Exactly one of ``audio`` and ``embeddings`` is there.
    """

    method: ClassVar[str] = "enroll"
    name: str | None = None
    id: str | None = None
    audio: Audio | None = None
    embeddings: tuple[StoredEmbedding, ...] = ()
    speech: SpeechUse = "auto"
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class PeopleParams:
    """``people``: everybody who is enrolled, those behind ``after`` first."""

    method: ClassVar[str] = "people"
    after: str | None = None


@dataclass(frozen=True, slots=True)
class PersonParams:
    """``person``: one of them, with the prints."""

    method: ClassVar[str] = "person"
    id: str


@dataclass(frozen=True, slots=True)
class RenamePersonParams:
    """``rename_person``: another name for the same voice."""

    method: ClassVar[str] = "rename_person"
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ForgetPersonParams:
    """``forget_person``: a person with all that is known, or one of their prints."""

    method: ClassVar[str] = "forget_person"
    id: str
    print: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyParams:
    """``verify``: whether a voice is that of ``id``; ``far`` and ``prior`` as for score."""

    method: ClassVar[str] = "verify"
    id: str
    audio: Voice
    speech: SpeechUse = "auto"
    far: float | None = None
    prior: float | None = None
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class IdentifyParams:
    """``identify``: whose voice it is; ``top`` are told, ``far`` and ``prior`` as for score.

    ``adapt`` adds it to that person where that is sure.
    """

    method: ClassVar[str] = "identify"
    audio: Voice
    top: int = 5
    speech: SpeechUse = "auto"
    far: float | None = None
    prior: float | None = None
    adapt: bool = False
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ExportPeopleParams:
    """``export_people``: people as bytes for the host to keep, those behind ``after`` first."""

    method: ClassVar[str] = "export_people"
    ids: tuple[str, ...] = ()
    after: str | None = None


@dataclass(frozen=True, slots=True)
class ImportPeopleParams:
    """``import_people``: what ``export_people`` gave; ``replace`` who is there already."""

    method: ClassVar[str] = "import_people"
    data: bytes
    replace: bool = False


# What the gallery answers, with the embeddings of its audio, if it has any.
GalleryParams: TypeAlias = (
    EnrollParams
    | PeopleParams
    | PersonParams
    | RenamePersonParams
    | ForgetPersonParams
    | VerifyParams
    | IdentifyParams
    | ExportPeopleParams
    | ImportPeopleParams
)
# What is answered only once all of its audio is embedded: who of a recording is who is one, too.
QUESTIONS: tuple[type[GalleryParams | DiarizeParams], ...] = (
    *get_args(GalleryParams),
    DiarizeParams,
)
