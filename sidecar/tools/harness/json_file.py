"""A file of JSON whose values know their path, so that a fault in it can be pointed at."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

Json: TypeAlias = Any  # what a file may hold, where that is still to be found out

# One of ``TYPES``, an integer of at least so much, one of some strings, or (None) anything.
Shape: TypeAlias = str | int | Collection[str] | None

_LINES_SUFFIXES = (".jsonl", ".ndjson")
_MAX_DEPTH = 64
TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "bin": (bytes,),
    "array": (list,),
    "object": (dict,),
}


class BadFile(Exception):
    """A file cannot be used; the message begins with the place."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its path; ``place`` is the file and, in a file of lines, the line.

    What must be so, and is not, raises ``BadFile``.
    """

    place: str
    path: str
    value: Json

    def __post_init__(self) -> None:
        if isinstance(self.value, _Unusable):
            self.fail(self.value)
        if self.path.count(".") + self.path.count("[") > _MAX_DEPTH:
            self.fail(f"is nested deeper than {_MAX_DEPTH} levels")

    def __str__(self) -> str:
        return f"{self.place}: {self.path}" if self.path else self.place

    def __getitem__(self, name: str) -> Node:
        path = f"{self.path}.{name}" if self.path else name
        return Node(self.place, path, self.value[name])

    def children(self) -> list[Node]:
        """The fields of an object or the items of an array; none of anything else."""
        if isinstance(self.value, dict):
            return [self[name] for name in self.value]
        items = enumerate(self.value if isinstance(self.value, list) else [])
        return [Node(self.place, f"{self.path}[{n}]", item) for n, item in items]

    def fail(self, message: str) -> NoReturn:
        """Say of this value what is wrong with it."""
        raise BadFile(f"{self.place}: {self.path or 'the entry'} {message}")

    def check(self, shape: Shape) -> Json:
        """The value, which must have that shape."""
        match shape:
            case int():
                holds = is_a(self.value, "integer") and self.value >= shape
                wanted = f"an integer of at least {shape}"
            case str():
                holds = is_a(self.value, shape)
                wanted = f"{'an' if shape[0] in 'aio' else 'a'} {shape}"
            case _:
                holds = is_a(self.value, "string") and self.value in (shape or ())
                wanted = " or ".join(shape or ())
        if shape is not None and not holds:
            found = "null" if self.value is None else shown(self.value)
            self.fail(f"must be {wanted}, not {found}")
        return self.value

    def fields(self, shapes: Mapping[str, Shape]) -> dict[str, Json]:
        """An object whose fields have these shapes; there may be no others."""
        for name in self.check("object"):
            if name not in shapes:
                self.fail(f"has no field {shown(name)}; it may have {', '.join(shapes)}")
            self[name].check(shapes[name])
        return dict(self.value)

    def only_one_of(self, names: Collection[str]) -> str:
        """The name of its one field among ``names``."""
        found = [name for name in self.check("object") if name in names]
        if len(found) != 1:
            told = " and ".join(found) or "none"
            self.fail(f"must have exactly one of {', '.join(names)}, not {told}")
        return str(found[0])


def read_nodes(file: Path) -> list[Node]:
    """The items of an array, one object, or an object on each line.

    Raises:
        BadFile: it cannot be read, or is no JSON.
    """
    try:
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise BadFile(f"{file}: it cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(f"{file}:{line}: it is not UTF-8: {error.reason}") from error
    # Not splitlines: it would also break at characters that may stand in strings.
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if file.suffix.lower() in _LINES_SUFFIXES or (lines and _is_object(lines[0][1])):
        return [Node(f"{file}:{n}", "", _parse(line, file, n)) for n, line in lines]
    whole = Node(str(file), "", _parse(text, file))
    return whole.children() if isinstance(whole.value, list) else [whole]


class _Unusable(str):
    """What is wrong with a value, in its place until its path is known."""

    __slots__ = ()


def _parse(text: str, file: Path, line: int = 1) -> Json:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        hint = ": put entries in an array, or each on its own line"
        message = error.msg + (hint if error.msg == "Extra data" else "")
        place = f"{file}:{line + error.lineno - 1}:{error.colno}"
        raise BadFile(f"{place}: {message}") from error
    except RecursionError as error:
        raise BadFile(f"{file}:{line}: it is nested too deeply") from error
    except ValueError as error:  # a number with more digits than Python reads
        raise BadFile(f"{file}:{line}: {error}") from error


def _is_object(text: str) -> bool:
    try:
        return isinstance(_DECODER.decode(text), dict)
    except (ValueError, RecursionError):
        return False


def _as_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    names = [name for name, _ in pairs]
    twice = {name: _Unusable("comes twice") for name in names if names.count(name) > 1}
    return {**dict(pairs), **twice}


def _as_constant(name: str) -> _Unusable:
    return _Unusable(f'cannot be {name} in JSON: write {{"$float": ...}}')


_DECODER = json.JSONDecoder(object_pairs_hook=_as_object, parse_constant=_as_constant)


def is_a(value: object, type_name: str) -> bool:
    """Whether ``value`` has that one of ``TYPES``; in Python a boolean is an integer, too."""
    is_wrong_bool = isinstance(value, bool) and type_name != "boolean"
    return isinstance(value, TYPES[type_name]) and not is_wrong_bool


def shown(value: object) -> str:
    """``value`` as a message has it."""
    if value is None:
        return "absent"
    if isinstance(value, bytes):
        return f"a bin of {len(value)} bytes"
    if isinstance(value, (dict, list)):
        return f"an {'object' if isinstance(value, dict) else 'array'} of {len(value)}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else f"{value}"
