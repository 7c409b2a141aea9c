"""Results of the wire as the dataclasses that a Python program gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from protocol.quality import Quality, SpeechResult
from protocol.reports import AudioWarning

Warnings: TypeAlias = tuple[AudioWarning, ...]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


_T = TypeVar("_T", bound=_Dataclass)


def read(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """``values`` as a ``kind``, with its warnings and qualities.

    A later version's child may tell more, and an earlier one less: fields with defaults.
    """
    known = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    if "warnings" in known:
        known["warnings"] = read_warnings(known["warnings"])
    for name in ("quality", "quality_a", "quality_b"):
        if known.get(name) is not None:
            quality = known[name]
            known[name] = read(Quality, {**quality, "flags": tuple(quality["flags"])})
    return kind(**known)


def read_warnings(values: Iterable[Mapping[str, Any]]) -> Warnings:
    """The warnings of a result."""
    return tuple(
        AudioWarning(
            value["kind"],
            value["message"],
            {name: more for name, more in value.items() if name not in ("kind", "message")},
        )
        for value in values
    )


def read_speech(result: Mapping[str, Any]) -> SpeechResult:
    """The result of ``speech``."""
    segments = tuple((float(start_s), float(end_s)) for start_s, end_s in result["segments"])
    return read(SpeechResult, {**result, "segments": segments})
