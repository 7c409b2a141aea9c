"""The params of the gallery's methods from the maps of the wire, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from protocol.errors import InvalidParams
from protocol.fields import Fields, as_fields
from protocol.gallery_params import (
    EnrollParams,
    ExportPeopleParams,
    ForgetPersonParams,
    GalleryParams,
    IdentifyParams,
    ImportPeopleParams,
    PeopleParams,
    PersonParams,
    RenamePersonParams,
    VerifyParams,
)
from protocol.params import StoredEmbedding
from protocol.wire_audio import (
    read_audio,
    read_duration_ms,
    read_operating_point,
    read_speech_use,
    read_stored,
    read_voice,
)

MAX_NAME_BYTES, MAX_PERSON_ID_BYTES = 256, 64
_DEFAULT_TOP, _MAX_TOP = 5, 1000
_MAX_ENROLLED_TOGETHER = 256
_MAX_IDS = 10_000
# Control characters, and what separates lines and paragraphs. All else is part of somebody's name:
# other blanks, joiners, and what a later version of Unicode brings.
_ENDS_LINE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")


def _read_enroll(values: Fields) -> EnrollParams:
    name = read_name(values) if "name" in values else None
    person_id = read_id(values, "id") if "id" in values else None
    if name is None and person_id is None:
        raise InvalidParams("params has no name (of a new person) and no id (of one who is there)")
    if ("audio" in values) == ("embeddings" in values):
        raise InvalidParams("params must have one of audio and embeddings")
    if "embeddings" in values:
        return EnrollParams(
            name=name,
            id=person_id,
            embeddings=_read_embeddings(values.array("embeddings")),
            deadline_ms=read_duration_ms(values, "deadline_ms"),
        )
    return EnrollParams(
        name=name,
        id=person_id,
        audio=read_audio(values.map("audio")),
        speech=read_speech_use(values, "auto"),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
    )


def _read_embeddings(items: list[object]) -> tuple[StoredEmbedding, ...]:
    if not 1 <= len(items) <= _MAX_ENROLLED_TOGETHER:
        raise InvalidParams(
            f"params.embeddings has {len(items)} items: send 1 to {_MAX_ENROLLED_TOGETHER}"
        )
    embeddings = tuple(
        read_stored(as_fields(item, f"params.embeddings[{index}]"))
        for index, item in enumerate(items)
    )
    if any(embedding.speech_s is None for embedding in embeddings):
        raise InvalidParams(
            "params.embeddings: each needs its speech_s, as its quality told it: how much speech "
            "there was decides what may become a print",
            kind="missing_field",
        )
    return embeddings


def _read_rename_person(values: Fields) -> RenamePersonParams:
    return RenamePersonParams(read_id(values, "id"), read_name(values))


def _read_forget_person(values: Fields) -> ForgetPersonParams:
    return ForgetPersonParams(
        read_id(values, "id"), read_id(values, "print") if "print" in values else None
    )


def _read_verify(values: Fields) -> VerifyParams:
    return VerifyParams(
        id=read_id(values, "id"),
        audio=read_voice(values.map("audio")),
        speech=read_speech_use(values, "auto"),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        **read_operating_point(values),
    )


def _read_identify(values: Fields) -> IdentifyParams:
    top = values.integer("top") if "top" in values else _DEFAULT_TOP
    if not 1 <= top <= _MAX_TOP:
        raise InvalidParams(f"params.top must be 1 to {_MAX_TOP}, but is {top}")
    return IdentifyParams(
        audio=read_voice(values.map("audio")),
        top=top,
        speech=read_speech_use(values, "auto"),
        adapt=values.boolean("adapt", default=False),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        **read_operating_point(values),
    )


def _read_export_people(values: Fields) -> ExportPeopleParams:
    ids: tuple[str, ...] = ()
    if "ids" in values:
        items = values.array("ids")
        if not 1 <= len(items) <= _MAX_IDS:
            raise InvalidParams(f"params.ids has {len(items)} items: send 1 to {_MAX_IDS}")
        places = (Fields({"id": item}, f"params.ids[{i}]") for i, item in enumerate(items))
        ids = tuple(read_id(place, "id") for place in places)
    return ExportPeopleParams(ids, _read_after(values))


def _read_after(values: Fields) -> str | None:
    """Where a page of people begins, as the one before told it."""
    return read_id(values, "after") if "after" in values else None


def _read_import_people(values: Fields) -> ImportPeopleParams:
    return ImportPeopleParams(values.binary("data"), values.boolean("replace", default=False))


def read_id(values: Fields, name: str) -> str:
    """The id of a person or a print, as the child made it."""
    text = values.text(name)
    if not 1 <= len(text.encode()) <= MAX_PERSON_ID_BYTES:
        raise InvalidParams(
            f"{values.place}.{name} must be a string of 1 to {MAX_PERSON_ID_BYTES} bytes"
        )
    return text


def read_name(values: Fields) -> str:
    """What people call somebody: one line, with no blanks around it."""
    name = values.text("name").strip()
    if not 1 <= len(name.encode()) <= MAX_NAME_BYTES or _ENDS_LINE.search(name):
        raise InvalidParams(
            f"{values.place}.name must be one line of 1 to {MAX_NAME_BYTES} bytes, without "
            "control characters"
        )
    return name


GALLERY_READERS: Mapping[str, Callable[[Fields], GalleryParams]] = {
    "enroll": _read_enroll,
    "people": lambda values: PeopleParams(_read_after(values)),
    "person": lambda values: PersonParams(read_id(values, "id")),
    "rename_person": _read_rename_person,
    "forget_person": _read_forget_person,
    "verify": _read_verify,
    "identify": _read_identify,
    "export_people": _read_export_people,
    "import_people": _read_import_people,
}
