"""People as bytes that a host keeps: a mark with the version, a SHA-256, and msgpack.

What comes back is hostile input. The payload's own reader bounds what it can build, nothing is
compressed (float32 do not become smaller), and every field is checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from protocol.errors import IncompatibleEmbeddings, InvalidParams, SidecarError
from protocol.fields import Fields, as_fields
from protocol.payload import pack, unpack
from protocol.wire_gallery import read_id, read_name
from sidecar.people.enrolment import MAX_PRINTS
from sidecar.people.records import Person, Print

_MARK, _VERSION = b"speaker-sidecar people ", b"1\n"
_DIGEST_BYTES = 32
# Of one export, so that its frame is within any limit that a child may be started with.
PAGE_PEOPLE, PAGE_BYTES = 1024, 512 * 1024
# The complete ones, those that wait for more, and what was adapted.
_MAX_KEPT = 2 * MAX_PRINTS + 1
_MAX_SPEECH_S = 1e8

Kept = tuple[Person, list[Print]]


def write_export(people: Iterable[Kept]) -> bytes:
    """These people, in their order."""
    content = pack({"people": [_person_map(person, prints) for person, prints in people]})
    return b"".join((_MARK, _VERSION, hashlib.sha256(content).digest(), content))


def size_of(prints: Sequence[Print]) -> int:
    """About how many bytes a person with these takes in an export."""
    return 512 + sum(256 + kept.total.nbytes for kept in prints)


def read_export(data: bytes, fingerprint: str, dim: int) -> list[Kept]:
    """The people in ``data``, none of them kept yet.

    Args:
        data: what ``write_export`` gave, by this version or another.
        fingerprint: of the model that serves.
        dim: how many numbers its embeddings have.

    Raises:
        InvalidParams: it is no export, damaged, or of a newer version.
        IncompatibleEmbeddings: a print is of another model.
    """
    if not data.startswith(_MARK):
        raise InvalidParams("params.data is no export of people: send what export_people gave")
    version, body = data[len(_MARK) :][:2], data[len(_MARK) + len(_VERSION) :]
    if version != _VERSION:
        raise InvalidParams(
            "params.data was exported by a newer version of this program: import it with that"
        )
    content = body[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != body[:_DIGEST_BYTES]:
        raise InvalidParams("params.data is damaged: its SHA-256 is another one")
    try:
        values = as_fields(unpack(content), "params.data")
    except InvalidParams:
        raise
    except SidecarError as error:
        raise InvalidParams(f"params.data cannot be read: {error.message}") from error
    people = [
        _read_person(as_fields(item, f"params.data.people[{place}]"), fingerprint, dim)
        for place, item in enumerate(values.array("people"))
    ]
    values.finish()
    _check_together(people)
    return people


def _person_map(person: Person, prints: Sequence[Print]) -> dict[str, object]:
    return {
        "id": person.id,
        "name": person.name,
        "created_ms": person.created_ms,
        "updated_ms": person.updated_ms,
        "prints": [
            {
                "id": kept.id,
                "fingerprint": kept.fingerprint,
                "speech_s": kept.speech_s,
                "audios": kept.audios,
                "adapted": kept.adapted,
                "created_ms": kept.created_ms,
                "updated_ms": kept.updated_ms,
                "total": kept.total.astype("<f4").tobytes(),
            }
            for kept in prints
        ],
    }


def _read_person(values: Fields, fingerprint: str, dim: int) -> Kept:
    person = Person(
        read_id(values, "id"),
        read_name(values),
        values.integer("created_ms"),
        values.integer("updated_ms"),
    )
    items = values.array("prints")
    if len(items) > _MAX_KEPT:
        raise InvalidParams(f"{values.place}.prints has {len(items)} items: {_MAX_KEPT} at most")
    prints = [
        _read_print(as_fields(item, f"{values.place}.prints[{place}]"), fingerprint, dim)
        for place, item in enumerate(items)
    ]
    values.finish()
    return person, prints


def _read_print(values: Fields, fingerprint: str, dim: int) -> Print:
    total = values.binary("total")
    if not total or len(total) % 4:
        raise InvalidParams(f"{values.place}.total must hold whole 32-bit floats")
    kept = Print(
        id=read_id(values, "id"),
        fingerprint=values.text("fingerprint"),
        total=np.frombuffer(total, "<f4"),
        speech_s=values.required_real("speech_s"),
        audios=values.integer("audios"),
        adapted=values.boolean("adapted", default=False),
        created_ms=values.integer("created_ms"),
        updated_ms=values.integer("updated_ms"),
    )
    values.finish()
    if kept.fingerprint != fingerprint:
        raise IncompatibleEmbeddings(
            f"{values.place} is of the model {kept.fingerprint}, and {fingerprint} serves: start "
            "with the model of the export, or enrol these people again",
            a=kept.fingerprint,
            b=fingerprint,
        )
    if len(kept.total) != dim:
        raise InvalidParams(
            f"{values.place}.total has {len(kept.total)} numbers, but this model's have {dim}"
        )
    if not 0 < kept.speech_s <= _MAX_SPEECH_S:
        raise InvalidParams(
            f"{values.place}.speech_s must be above 0, and at most {_MAX_SPEECH_S:g}, but is "
            f"{kept.speech_s}"
        )
    # A mean of unit vectors is no longer than 1. NaN is not, either.
    if not 0 < float(np.linalg.norm(kept.total.astype(np.float64))) <= 1.001 * kept.speech_s:
        raise InvalidParams(f"{values.place}.total is no sum of unit vectors")
    return kept


def _check_together(people: Sequence[Kept]) -> None:
    prints = [kept for _, held in people for kept in held]
    for ids in ([person.id for person, _ in people], [kept.id for kept in prints]):
        if len(set(ids)) < len(ids):
            raise InvalidParams("params.data has an id twice")
