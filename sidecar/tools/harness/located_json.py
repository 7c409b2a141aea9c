"""JSON in which every value knows where it stands, so that a fault in a file can be pointed at."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

_WHITESPACE = re.compile(r"[ \t\n\r]*")
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_MAX_DEPTH = 64
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1  # what msgpack holds


@dataclass(frozen=True, slots=True)
class Place:
    """A character of a file; the line and the column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class BadFile(Exception):
    """A file cannot be used; the message begins with the place."""

    def __init__(self, place: Place | str, message: str) -> None:
        super().__init__(f"{place}: {message}")


Value: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and its place; ``key_place`` is that of its name, where it has one."""

    value: Value
    place: Place
    key_place: Place

    def fail(self, message: str) -> NoReturn:
        """Raise ``BadFile`` at this value."""
        raise BadFile(self.place, message)

    def members(self, what: str, known: Collection[str] | None = None) -> dict[str, Node]:
        """The members of an object.

        Raises:
            BadFile: it is no object, or has a member that is not among the ``known``.
        """
        if not isinstance(self.value, dict):
            self.fail(f"{what} must be an object, not {self.shown()}")
        for name, member in self.value.items():
            if known is not None and name not in known:
                fields = ", ".join(known)
                raise BadFile(member.key_place, f"{what} has no field {name!r}; it has {fields}")
        return self.value

    def items(self, what: str) -> list[Node]:
        """The items of an array; raises ``BadFile`` if it is none."""
        if not isinstance(self.value, list):
            self.fail(f"{what} must be an array, not {self.shown()}")
        return self.value

    def text(self, what: str) -> str:
        """A string that is not empty; raises ``BadFile`` if it is none."""
        if not isinstance(self.value, str) or not self.value:
            self.fail(f"{what} must be a string, not {self.shown()}")
        return self.value

    def number(self, what: str) -> float:
        """A number; raises ``BadFile`` if it is none."""
        if not isinstance(self.value, (int, float)) or isinstance(self.value, bool):
            self.fail(f"{what} must be a number, not {self.shown()}")
        return self.value

    def integer(self, what: str, least: int = 0) -> int:
        """An integer of at least ``least``; raises ``BadFile`` if it is none."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < least:
            self.fail(f"{what} must be an integer of at least {least}, not {self.shown()}")
        return self.value

    def choice(self, what: str, choices: Collection[str]) -> str:
        """One of ``choices``; raises ``BadFile`` if it is none."""
        if self.value not in choices:
            self.fail(f"{what} must be {' or '.join(choices)}, not {self.shown()}")
        return str(self.value)

    def shown(self) -> str:
        """The value as a message may have it."""
        if isinstance(self.value, dict):
            return "an object"
        if isinstance(self.value, list):
            return "an array"
        return json.dumps(self.value, ensure_ascii=False)[:60]


def read_json(path: Path) -> list[Node]:
    """The values of a file: the items of an array, one object, or an object on each line.

    Raises:
        BadFile: it cannot be read, or is no JSON.
    """
    file = str(path)
    text = _read_text(path)
    if path.suffix.lower() in _LINES_SUFFIXES:
        return _read_lines(text, file)
    reader = _Reader(text, file)
    first, end = reader.read_value(0)
    rest = reader.skip_whitespace(end)
    if rest < len(text):
        if isinstance(first.value, dict) and "\n" not in text[:end].strip():
            return _read_lines(text, file)
        message = "something follows the value: put entries in an array, or each on its own line"
        raise BadFile(reader.place(rest), message)
    return first.value if isinstance(first.value, list) else [first]


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(str(path), f"it cannot be read: {error.strerror or error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        place = _Reader(before, str(path)).place(len(before))
        raise BadFile(place, f"it is not UTF-8: {error.reason}") from error


def _read_lines(text: str, file: str) -> list[Node]:
    # Not splitlines: it would also break at characters that may stand in strings.
    return [
        _Reader(line, file, number).read_all()
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'JSON has no {name}: write {{"$float": ...}}')


_SCALARS = json.JSONDecoder(parse_constant=_refuse_constant)


class _Reader:
    """Reads objects and arrays itself, to note their places; the rest is the standard library's."""

    def __init__(self, text: str, file: str, first_line: int = 1) -> None:
        self._text = text
        self._file = file
        self._first_line = first_line

    def place(self, offset: int) -> Place:
        line_start = self._text.rfind("\n", 0, offset) + 1
        line = self._first_line + self._text.count("\n", 0, offset)
        return Place(self._file, line, offset - line_start + 1)

    def read_all(self) -> Node:
        node, end = self.read_value(0)
        rest = self.skip_whitespace(end)
        if rest < len(self._text):
            raise BadFile(self.place(rest), "something follows the value on its line")
        return node

    def read_value(self, offset: int, depth: int = 1, key: int | None = None) -> tuple[Node, int]:
        """The value behind the whitespace at ``offset``, and where it ends."""
        start = self.skip_whitespace(offset)
        if depth > _MAX_DEPTH:
            raise BadFile(self.place(start), f"it is nested deeper than {_MAX_DEPTH} levels")
        value: Value
        match self._text[start : start + 1]:
            case "{":
                value, end = self._read_object(start + 1, depth)
            case "[":
                value, end = self._read_array(start + 1, depth)
            case _:
                value, end = self._read_scalar(start)
        key_place = self.place(start if key is None else key)
        return Node(value, self.place(start), key_place), end

    def _read_object(self, offset: int, depth: int) -> tuple[dict[str, Node], int]:
        members: dict[str, Node] = {}
        offset = self.skip_whitespace(offset)
        if self._text[offset : offset + 1] == "}":
            return members, offset + 1
        while True:
            key_start = self.skip_whitespace(offset)
            if self._text[key_start : key_start + 1] != '"':
                raise BadFile(self.place(key_start), "expected a field's name in double quotes")
            name, offset = self._read_scalar(key_start)
            if name in members:
                raise BadFile(self.place(key_start), f"the field {name!r} comes twice")
            offset = self._expect(":", offset)
            members[str(name)], offset = self.read_value(offset, depth + 1, key_start)
            offset, is_last = self._continue("}", offset)
            if is_last:
                return members, offset

    def _read_array(self, offset: int, depth: int) -> tuple[list[Node], int]:
        items: list[Node] = []
        offset = self.skip_whitespace(offset)
        if self._text[offset : offset + 1] == "]":
            return items, offset + 1
        while True:
            item, offset = self.read_value(offset, depth + 1)
            items.append(item)
            offset, is_last = self._continue("]", offset)
            if is_last:
                return items, offset

    def _read_scalar(self, start: int) -> tuple[str | int | float | bool | None, int]:
        try:
            value, end = _SCALARS.raw_decode(self._text, start)
            if isinstance(value, int) and not _MIN_INTEGER <= value <= _MAX_INTEGER:
                raise ValueError("an integer of more than 64 bits")  # noqa: TRY301
            if isinstance(value, str):
                value.encode()
        except json.JSONDecodeError as error:
            raise BadFile(self.place(error.pos), error.msg) from error
        except UnicodeEncodeError as error:
            raise BadFile(self.place(start), "half a surrogate pair is no text") from error
        except ValueError as error:
            raise BadFile(self.place(start), str(error)) from error
        return value, end

    def _expect(self, character: str, offset: int) -> int:
        offset = self.skip_whitespace(offset)
        if self._text[offset : offset + 1] != character:
            raise BadFile(self.place(offset), f"expected {character!r}")
        return offset + 1

    def _continue(self, closing: str, offset: int) -> tuple[int, bool]:
        offset = self.skip_whitespace(offset)
        character = self._text[offset : offset + 1]
        if character not in {",", closing}:
            raise BadFile(self.place(offset), f"expected ',' or {closing!r}")
        return offset + 1, character == closing

    def skip_whitespace(self, offset: int) -> int:
        match = _WHITESPACE.match(self._text, offset)
        assert match is not None
        return match.end()
