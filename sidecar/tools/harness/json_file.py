"""A file of JSON whose values know their path, so that a fault in it can be pointed at."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

Json: TypeAlias = Any  # what a file may hold, where that is still to be found out

# One of ``TYPES``, an integer of at least so much, one of some values, or (None) anything.
Shape: TypeAlias = str | int | Collection[Json] | None

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
    """A value and its path; ``place`` is the file and, outside of an array, the line.

    What must be so, and is not, raises ``BadFile``.
    """

    place: str
    path: str
    value: Json

    def __str__(self) -> str:
        return f"{self.place}: {self.path}" if self.path else self.place

    def __getitem__(self, key: str | int) -> Node:
        step = f".{key}" if isinstance(key, str) else f"[{key}]"
        return Node(self.place, f"{self.path}{step}".removeprefix("."), self.value[key])

    def children(self) -> list[Node]:
        """The fields of an object or the items of an array; none of anything else."""
        keys = range(len(self.value)) if isinstance(self.value, list) else self.value
        return [self[key] for key in keys] if isinstance(keys, (range, dict)) else []

    def fail(self, message: str) -> NoReturn:
        """Say of this value what is wrong with it."""
        raise BadFile(f"{self} {message}")

    def check(self, shape: Shape) -> Json:
        """The value, which must have that shape."""
        match shape:
            case None:
                return self.value
            case int():
                holds = is_a(self.value, "integer") and self.value >= shape
                wanted = f"an integer of at least {shape}"
            case str():
                holds = is_a(self.value, shape)
                wanted = f"{'an' if shape[0] in 'aio' else 'a'} {shape}"
            case _:
                holds = self.value in list(shape)
                wanted = " or ".join(map(shown, shape))
        if not holds:
            self.fail(f"must be {wanted}, not {shown(self.value)}")
        return self.value

    def fields(self, shapes: Mapping[str, Shape]) -> dict[str, Json]:
        """An object whose fields have these shapes; there may be no others."""
        fields: dict[str, Json] = self.check("object")
        for name in fields:
            if name not in shapes:
                self.fail(f"has no field {shown(name)}; it may have {', '.join(shapes)}")
            self[name].check(shapes[name])
        return fields

    def kind(self, kinds: Mapping[str, Mapping[str, Shape]]) -> str:
        """The name of its one field among ``kinds``; its ``fields`` are those of that kind."""
        found = [name for name in self.check("object") if name in kinds]
        if len(found) != 1:
            self.fail(f"must have one of {', '.join(kinds)}, not {' and '.join(found) or 'none'}")
        self.fields(kinds[found[0]])
        return str(found[0])


def read_nodes(file: Path) -> list[Node]:
    """The values in a file, such as one on each line; in place of an array its items.

    Raises:
        BadFile: it cannot be read, or is no JSON.
    """
    nodes: list[Node] = []
    line, begin, end = 1, 0, 0
    try:
        text = file.read_text("utf-8-sig")
        while found := _NOT_SPACE.search(text, end):
            line += text.count("\n", begin, found.start())
            begin = found.start()
            value, end = _DECODER.raw_decode(text, begin)
            if isinstance(value, list):
                nodes += Node(str(file), "", value).children()
            else:
                nodes.append(Node(f"{file}:{line}", "", value))
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{file}: it cannot be read: {getattr(error, 'strerror', error)}") from error
    except json.JSONDecodeError as error:
        raise BadFile(f"{file}:{error.lineno}:{error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{file}:{line}: {error}") from error
    return nodes


def _as_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    built = dict(pairs)
    if len(built) < len(pairs):
        raise ValueError(f"a field comes twice among {', '.join(built)}")
    return built


_NOT_SPACE = re.compile(r"\S")
_DECODER = json.JSONDecoder(object_pairs_hook=_as_object)


def is_a(value: object, type_name: str) -> bool:
    """Whether ``value`` has that one of ``TYPES``; in Python a boolean is an integer, too."""
    is_wrong_bool = isinstance(value, bool) and type_name != "boolean"
    return isinstance(value, TYPES[type_name]) and not is_wrong_bool


def shown(value: object) -> str:
    """``value`` as a message has it."""
    match value:
        case bytes():
            return f"a bin of {len(value)} bytes"
        case dict() | list():
            return f"an {'object' if isinstance(value, dict) else 'array'} of {len(value)}"
    return json.dumps(value, ensure_ascii=False)
