"""Whether a value is as an entry expects it, and in which words it differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sized
from typing import TypeAlias

from sidecar.tools.harness.json_file import TYPES, Json, Node, Shape, is_a, shown

_Operators: TypeAlias = dict[str, Json]
_OPERATORS: dict[str, Shape] = {
    **dict.fromkeys(("min", "max", "about", "within"), "number"),
    **dict.fromkeys(("length", "contains", "each")),
    "type": TYPES,
    "one_of": "array",
}
# Those that look at a value as a whole: whether it holds for one, and how that is said.
_SIMPLE: dict[str, tuple[Callable[[_Operators, Json], bool], Callable[[_Operators], str]]] = {
    "min": (lambda of, x: _is_within(x, least=of["min"]), lambda of: f"at least {of['min']}"),
    "max": (lambda of, x: _is_within(x, most=of["max"]), lambda of: f"at most {of['max']}"),
    "about": (
        lambda of, x: _is_within(x, of["about"] - of["within"], of["about"] + of["within"]),
        lambda of: f"{of['about']} within {of['within']}",
    ),
    "type": (lambda of, x: is_a(x, of["type"]), lambda of: f"the type {of['type']}"),
    "contains": (
        lambda of, x: _contains(x, of["contains"]),
        lambda of: f"it to contain {shown(of['contains'])}",
    ),
    "one_of": (
        lambda of, x: any(not list(differences(one, x)) for one in of["one_of"]),
        lambda of: f"one of {', '.join(map(shown, of['one_of']))}",
    ),
}


def check_expected(node: Node) -> None:
    """Raise ``BadFile`` if what ``node`` expects has a malformed operator."""
    operators = [name for name in _OPERATORS if is_a(node.value, "object") and name in node.value]
    if operators and len(operators) < len(node.value):
        others = ", ".join(sorted(set(node.value) - set(operators)))
        node.fail(f"mixes operators ({', '.join(operators)}) with fields ({others})")
    if ("about" in operators) != ("within" in operators):
        node.fail("must have both about and within: they belong together")
    for name in operators:
        node[name].check(_OPERATORS[name])
    for child in node.children():
        if not child.path.endswith(".contains"):
            check_expected(child)


def differences(expected: Json, actual: Json, path: str = "") -> Iterator[str]:
    """Where ``actual`` is not as ``expected``, in words; nothing if it matches.

    Args:
        expected: a value to be equal to, operators, or fields or items that match in their turn.
        actual: may have fields that are not expected; nil is the same as absent.
        path: what the value is called in the words.
    """
    wrong = f"{path} is {shown(actual)}, expected "
    match expected:
        case dict() if not expected.keys().isdisjoint(_OPERATORS):
            for name in expected:
                yield from _operator_differences(name, expected, actual, path)
        case dict() if isinstance(actual, dict):
            for name, inner in expected.items():
                yield from differences(inner, actual.get(name), f"{path}.{name}".lstrip("."))
        case list() if isinstance(actual, list) and len(actual) == len(expected):
            for n, pair in enumerate(zip(expected, actual, strict=True)):
                yield from differences(*pair, f"{path}[{n}]")
        case list() if isinstance(actual, list):
            yield f"{path} has {len(actual)} items, expected {len(expected)}"
        case dict() | list():
            yield wrong + ("an object" if isinstance(expected, dict) else "an array")
        # In Python True equals 1.
        case _ if actual != expected or isinstance(actual, bool) != isinstance(expected, bool):
            yield wrong + shown(expected)


def _operator_differences(name: str, of: _Operators, actual: Json, path: str) -> Iterator[str]:
    wrong = f"{path} is {shown(actual)}, expected "
    match name:
        case "length" if isinstance(actual, Sized):
            yield from differences(of[name], len(actual), f"the length of {path}")
        case "length":
            yield wrong + "something with a length"
        case "each" if isinstance(actual, list):
            for n, item in enumerate(actual):
                yield from differences(of[name], item, f"{path}[{n}]")
        case "each":
            yield wrong + "an array"
        case _ if name in _SIMPLE and not _SIMPLE[name][0](of, actual):
            yield wrong + _SIMPLE[name][1](of)


def _is_within(value: Json, least: float = -math.inf, most: float = math.inf) -> bool:
    return is_a(value, "number") and least <= value <= most


def _contains(whole: Json, part: Json) -> bool:
    if isinstance(whole, (list, dict)):
        return part in list(whole)
    return type(whole) in {str, bytes} and type(part) is type(whole) and part in whole
