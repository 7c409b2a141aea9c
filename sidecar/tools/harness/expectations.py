"""What an entry expects, and in which words an answer differs from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeAlias

from sidecar.tools.harness.located_json import Node

# From a value and its name to the differences, in words; none if it matches.
Matcher: TypeAlias = Callable[[object, str], Iterator[str]]

_OPERATORS = ("min", "max", "about", "within", "length", "type", "contains", "one_of", "each")
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "bin": (bytes,),
    "array": (list,),
    "object": (dict,),
}


def read_matcher(node: Node, build: Callable[[Node], object]) -> Matcher:
    """The matcher that ``node`` describes.

    Args:
        node: a value to be equal to, an object of operators, or an object of fields, in which each
            field has a matcher in its turn, and fields that it does not name may be anything.
        build: makes the value of a ``$`` object.

    Raises:
        BadFile: an operator is malformed.
    """
    if isinstance(node.value, list):
        return _items([read_matcher(item, build) for item in node.value])
    if not isinstance(node.value, dict) or any(name.startswith("$") for name in node.value):
        return equal(build(node))
    operators = [name for name in node.value if name in _OPERATORS]
    if not operators:
        return fields({name: read_matcher(member, build) for name, member in node.value.items()})
    if len(operators) < len(node.value):
        others = ", ".join(sorted(set(node.value) - set(operators)))
        node.fail(f"it mixes operators ({', '.join(operators)}) with fields ({others})")
    if ("about" in node.value) != ("within" in node.value):
        node.fail("about and within belong together")
    return _all([_read_operator(name, node.value, build) for name in operators if name != "within"])


def _read_operator(  # noqa: PLR0911 - one for each operator
    name: str, members: dict[str, Node], build: Callable[[Node], object]
) -> Matcher:
    node = members[name]
    match name:
        case "min":
            least = node.number(name)
            return _number(lambda value: value >= least, f"at least {least}")
        case "max":
            most = node.number(name)
            return _number(lambda value: value <= most, f"at most {most}")
        case "about":
            centre, within = node.number(name), members["within"].number("within")
            expected = f"{centre} within {within}"
            least, most = centre - within, centre + within
            return _number(lambda value: least <= value <= most, expected)
        case "length":
            return _length(read_matcher(node, build))
        case "type":
            return _type(node.choice(name, _TYPES))
        case "contains":
            return _contains(build(node))
        case "one_of":
            return _one_of([read_matcher(item, build) for item in node.items(name)], node)
        case _:
            return _each(read_matcher(node, build))


def fields(matchers: dict[str, Matcher]) -> Matcher:
    """Each field that is named matches; nil is the same as absent."""

    def match(value: object, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is {shown(value)}, expected an object"
            return
        for name, matcher in matchers.items():
            yield from matcher(value.get(name), f"{where}.{name}" if where else name)

    return match


def _items(matchers: list[Matcher]) -> Matcher:
    def match(value: object, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where} is {shown(value)}, expected an array"
        elif len(value) != len(matchers):
            yield f"{where} has {len(value)} items, expected {len(matchers)}"
        else:
            for index, (item, matcher) in enumerate(zip(value, matchers, strict=True)):
                yield from matcher(item, f"{where}[{index}]")

    return match


def equal(expected: object) -> Matcher:
    """The value is ``expected``; None also where there is no value."""

    def match(value: object, where: str) -> Iterator[str]:
        # In Python True equals 1.
        if value != expected or isinstance(value, bool) != isinstance(expected, bool):
            yield f"{where} is {shown(value)}, expected {shown(expected)}"

    return match


def _number(holds: Callable[[float], bool], expected: str) -> Matcher:
    def match(value: object, where: str) -> Iterator[str]:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and holds(value)):  # type: ignore[arg-type]
            yield f"{where} is {shown(value)}, expected {expected}"

    return match


def _length(matcher: Matcher) -> Matcher:
    def match(value: object, where: str) -> Iterator[str]:
        if isinstance(value, Sized):
            yield from matcher(len(value), f"the length of {where}")
        else:
            yield f"{where} is {shown(value)}, expected something with a length"

    return match


def _type(name: str) -> Matcher:
    def match(value: object, where: str) -> Iterator[str]:
        is_wrong_bool = isinstance(value, bool) and name != "boolean"
        if is_wrong_bool or not isinstance(value, _TYPES[name]):
            yield f"{where} is {shown(value)}, expected the type {name}"

    return match


def _contains(part: object) -> Matcher:
    def match(value: object, where: str) -> Iterator[str]:
        is_inside = isinstance(value, (list, dict)) and part in value
        if isinstance(value, str):
            is_inside = isinstance(part, str) and part in value
        elif isinstance(value, bytes):
            is_inside = isinstance(part, bytes) and part in value
        if not is_inside:
            yield f"{where} is {shown(value)}, expected it to contain {shown(part)}"

    return match


def _one_of(matchers: list[Matcher], node: Node) -> Matcher:
    choices = ", ".join(item.shown() for item in node.items("one_of"))

    def match(value: object, where: str) -> Iterator[str]:
        if all(any(True for _ in matcher(value, where)) for matcher in matchers):
            yield f"{where} is {shown(value)}, expected one of {choices}"

    return match


def _each(matcher: Matcher) -> Matcher:
    def match(value: object, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where} is {shown(value)}, expected an array"
            return
        for index, item in enumerate(value):
            yield from matcher(item, f"{where}[{index}]")

    return match


def _all(matchers: Iterable[Matcher]) -> Matcher:
    kept = list(matchers)

    def match(value: object, where: str) -> Iterator[str]:
        for matcher in kept:
            yield from matcher(value, where)

    return match


def shown(value: object) -> str:
    """``value`` as a message has it."""
    if value is None:
        return "absent"
    if isinstance(value, bytes):
        return f"a bin of {len(value)} bytes"
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if isinstance(value, bool) else f"{value}"
