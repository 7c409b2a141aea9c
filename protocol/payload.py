"""Payloads: one msgpack map as bytes. Strict in what is read, plain in what is written."""

from __future__ import annotations

from collections.abc import Mapping

import msgpack

from protocol.errors import InvalidRequest, ParseError

MAX_DEPTH = 16
# No message of this protocol comes near these; they bound what a hostile payload can make us build.
MAX_ARRAY_ITEMS = 32_768
MAX_MAP_ITEMS = 256
# Maps and arrays, and all that is in them.
MAX_VALUES = 131_072

_SCALARS = (bool, int, float, str, bytes)


def pack(message: Mapping[str, object], *, for_people: bool = False) -> bytes:
    """The payload for ``message``: ``bytes`` become bin, tuples arrays, floats 64 bits wide.

    Text that is no Unicode, as some paths are, raises ``UnicodeEncodeError``; where it is only to
    be read, ``for_people``, such characters are written as escapes.
    """
    text_errors = "backslashreplace" if for_people else "strict"
    packed = msgpack.packb(message, use_bin_type=True, unicode_errors=text_errors)
    assert isinstance(packed, bytes)
    return packed


def unpack(payload: bytes) -> dict[str, object]:
    """The map that ``payload`` holds.

    Raises:
        ParseError: not well-formed msgpack, bytes behind the value, an extension type, a key that
            is no string or comes twice, text that is not UTF-8, deeper than ``MAX_DEPTH``.
        InvalidRequest: a well-formed value that is no map.
    """
    builder = _Builder()
    try:
        value = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=False,
            object_pairs_hook=builder.build_map,
            list_hook=builder.build_array,
            max_array_len=MAX_ARRAY_ITEMS,
            max_map_len=MAX_MAP_ITEMS,
        )
    except ParseError:
        raise
    except Exception as error:
        # Not only msgpack's own exceptions: it raises ValueError, TypeError, UnicodeDecodeError
        # and others too. Whatever it is, the payload is at fault.
        fault = str(error) or type(error).__name__
        raise ParseError(f"the payload is not valid msgpack: {fault}") from error
    _check_values(value)
    if not isinstance(value, dict):
        raise InvalidRequest(f"the payload is not a map but {_TYPE_NAMES.get(type(value), 'nil')}")
    return value


_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    bytes: "a bin",
    list: "an array (send each request in a frame of its own, or use embed_batch)",
}


class _Builder:
    """Builds one payload's maps and arrays, counting what is in them."""

    def __init__(self) -> None:
        self._n_values = 0

    def build_map(self, pairs: list[tuple[object, object]]) -> dict[str, object]:
        self._count(len(pairs))
        built: dict[str, object] = {}
        for key, value in pairs:
            if not isinstance(key, str):
                raise ParseError(f"a map has the key {key!r:.60}: keys must be strings")
            if key in built:
                raise ParseError(f"a map has the key {key!r:.60} twice")
            built[key] = value
        return built

    def build_array(self, items: list[object]) -> list[object]:
        self._count(len(items))
        return items

    def _count(self, n_inside: int) -> None:
        self._n_values += 1 + n_inside
        if self._n_values > MAX_VALUES:
            raise ParseError(f"the payload holds more than {MAX_VALUES} values")


def _check_values(root: object) -> None:
    level: list[object] = [root]
    depth = 0
    while level:
        below: list[object] = []
        holds_containers = False
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
                holds_containers = True
            elif isinstance(value, list):
                below.extend(value)
                holds_containers = True
            elif value is not None and not isinstance(value, _SCALARS):
                raise ParseError("the payload holds an extension type: this protocol uses none")
        depth += holds_containers
        if depth > MAX_DEPTH:
            raise ParseError(f"the payload is nested deeper than {MAX_DEPTH} levels")
        level = below
