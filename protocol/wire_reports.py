"""What the child tells, as the maps of the wire."""

from __future__ import annotations

import functools
from dataclasses import MISSING, fields, is_dataclass

from protocol.reports import AudioWarning


def to_wire(value: object) -> object:
    """``value`` with every dataclass in it as a map of its fields; None stays nil.

    A field that a version has added, and so has a default, is left out where it says nothing.
    """
    if isinstance(value, AudioWarning):
        return {"kind": value.kind, "message": value.message, **value.details}
    names = _names_of(type(value))  # type: ignore[arg-type]  # a class can be hashed
    if names is not None:
        return {
            name: to_wire(inner)
            for name, is_required in names
            if (inner := getattr(value, name)) not in (None, ()) or is_required
        }
    if isinstance(value, (tuple, list)):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    return value


@functools.cache
def _names_of(kind: type) -> tuple[tuple[str, bool], ...] | None:
    """The names of a dataclass's fields, and whether each is required; None: it is none."""
    if not is_dataclass(kind):
        return None
    return tuple((field.name, field.default is MISSING) for field in fields(kind))
