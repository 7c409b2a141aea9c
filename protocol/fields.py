"""Reads the fields of one map, by type: the one place that knows what a wire type may look like."""

from __future__ import annotations

import math
from collections.abc import Mapping

from protocol.errors import InvalidParams

MAX_INTEGER = 2**53 - 1
# How a path that is no UTF-8 is held as text: see PEP 383.
BYTES_IN_TEXT = "surrogateescape"


class Fields:
    """The fields of the map at ``place``, read one by one; ``finish`` refuses what was not read.

    nil is the same as absent. A field that is absent gives None, or raises if it is ``required``.
    Every method raises ``InvalidParams`` for a value of another type.
    """

    def __init__(self, values: Mapping[str, object], place: str) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._unread = list(self._values)
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def finish(self) -> None:
        """Raise ``InvalidParams`` if any field was not read: this version does not know it."""
        if self._unread:
            names = ", ".join(repr(name)[:60] for name in self._unread[:8])
            raise InvalidParams(
                f"{self.place} has fields that this version does not know: {names}",
                kind="unknown_field",
            )

    def boolean(self, name: str, *, default: bool) -> bool:
        """An optional boolean."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(name, "a boolean", value)
        return value

    def integer(self, name: str) -> int:
        """A required integer in 0 .. 2^53-1."""
        value = self._required(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INTEGER:
            raise self._wrong(name, f"an integer from 0 to {MAX_INTEGER}", value)
        return value

    def real(self, name: str) -> float | None:
        """An optional finite number, integer or float on the wire."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self._wrong(name, "a number", value)
        if not math.isfinite(value) or abs(value) > MAX_INTEGER:
            raise self._wrong(name, f"a finite number of at most {MAX_INTEGER}", value)
        return float(value)

    def required_real(self, name: str) -> float:
        """A required finite number."""
        self._required(name)
        value = self.real(name)
        assert value is not None
        return value

    def text(self, name: str) -> str:
        """A required string."""
        value = self._required(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def path(self, name: str) -> str:
        """A required string, or a bin of bytes that are no UTF-8 (see ``BYTES_IN_TEXT``)."""
        value = self._required(name)
        if isinstance(value, bytes):
            return value.decode(errors=BYTES_IN_TEXT)
        if not isinstance(value, str):
            raise self._wrong(name, "a string or a bin (bytes)", value)
        return value

    def binary(self, name: str) -> bytes:
        """A required bin."""
        value = self._required(name)
        if not isinstance(value, bytes):
            raise self._wrong(name, "a bin (bytes)", value)
        return value

    def array(self, name: str) -> list[object]:
        """A required array, its items unchecked."""
        value = self._required(name)
        if not isinstance(value, list):
            raise self._wrong(name, "an array", value)
        return value

    def map(self, name: str) -> Fields:
        """A required map, to be read in its turn."""
        return as_fields(self._required(name), f"{self.place}.{name}")

    def value(self, name: str) -> object:
        """An optional field of any type."""
        return self._take(name)

    def _take(self, name: str) -> object:
        if name in self._unread:
            self._unread.remove(name)
        return self._values.get(name)

    def _required(self, name: str) -> object:
        value = self._take(name)
        if value is None:
            raise InvalidParams(f"{self.place}.{name} is missing", kind="missing_field")
        return value

    def _wrong(self, name: str, wanted: str, value: object) -> InvalidParams:
        return InvalidParams(f"{self.place}.{name} must be {wanted}, not {_shown(value)}")


def as_fields(value: object, place: str) -> Fields:
    """``value`` as a map to read fields from; raises ``InvalidParams`` if it is none."""
    if not isinstance(value, dict):
        raise InvalidParams(f"{place} must be a map, not {_shown(value)}")
    return Fields(value, place)


def _shown(value: object) -> str:
    if isinstance(value, (bytes, str, list, dict)) and len(value) > 16:
        return f"a {type(value).__name__} of length {len(value)}"
    return f"{value!r:.80}"
