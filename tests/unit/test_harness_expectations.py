from __future__ import annotations

import json

import pytest

from sidecar.tools.harness.expectations import read_matcher
from sidecar.tools.harness.located_json import BadFile, read_json


@pytest.fixture
def differences(tmp_path):
    def find(matcher, value):
        path = tmp_path / "matcher.json"
        path.write_text(json.dumps([matcher]), "utf-8")
        [node] = read_json(path)
        matches = read_matcher(node, lambda n: b"bin" if isinstance(n.value, dict) else n.value)
        return list(matches(value, "x"))

    return find


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        (3, 3),
        (3, 3.0),
        ("a", "a"),
        (None, None),
        ([1, {"min": 2}], [1, 2]),
        ({}, {"any": "thing"}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}),
        ({"absent": None}, {}),
        ({"min": 1, "max": 2}, 1.5),
        ({"about": 1, "within": 0.1}, 1.1),
        ({"length": 3}, b"abc"),
        ({"length": {"min": 1}}, [0]),
        ({"type": "bin"}, b""),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"contains": "b"}, "abc"),
        ({"contains": 2}, [1, 2]),
        ({"contains": {"$bin": ""}}, b"a bin"),
        ({"one_of": ["a", {"min": 3}]}, 4),
        ({"each": {"min": 0}}, [0, 1]),
        ({"$bin": ""}, b"bin"),
    ],
)
def test_what_matches(differences, matcher, value):
    assert differences(matcher, value) == []


@pytest.mark.parametrize(
    ("matcher", "value", "expected"),
    [
        (3, 4, "x is 4, expected 3"),
        (1, True, "x is true, expected 1"),
        (True, 1, "x is 1, expected true"),
        ("a", None, 'x is absent, expected "a"'),
        ([1], [1, 2], "x has 2 items, expected 1"),
        ([1, 2], [1, 3], "x[1] is 3, expected 2"),
        ([1], "1", 'x is "1", expected an array'),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "x.a.b is 2, expected 1"),
        ({"a": {"b": 1}}, {}, "x.a is absent, expected an object"),
        ({"min": 1}, 0.5, "x is 0.5, expected at least 1"),
        ({"min": 1}, "2", 'x is "2", expected at least 1'),
        ({"max": 1}, float("nan"), "x is nan, expected at most 1"),
        ({"max": 0}, False, "x is false, expected at most 0"),
        ({"about": 1, "within": 0.1}, 2, "x is 2, expected 1 within 0.1"),
        ({"length": 3}, b"ab", "the length of x is 2, expected 3"),
        ({"length": 3}, 7, "x is 7, expected something with a length"),
        ({"type": "integer"}, 1.0, "x is 1.0, expected the type integer"),
        ({"type": "integer"}, True, "x is true, expected the type integer"),
        ({"contains": "d"}, "abc", 'x is "abc", expected it to contain "d"'),
        ({"contains": 1}, "abc", 'x is "abc", expected it to contain 1'),
        ({"one_of": ["a", 3]}, "c", 'x is "c", expected one of "a", 3'),
        ({"each": {"min": 1}}, [1, 0], "x[1] is 0, expected at least 1"),
        ({"each": 1}, {}, "x is an object of 0, expected an array"),
        ({"$bin": ""}, b"abcd", "x is a bin of 4 bytes, expected a bin of 3 bytes"),
    ],
)
def test_what_differs_is_told_in_words(differences, matcher, value, expected):
    assert differences(matcher, value) == [expected]


@pytest.mark.parametrize(
    ("matcher", "message"),
    [
        ({"min": "1"}, "min must be a number"),
        ({"min": 1, "dim": 2}, r"mixes operators \(min\) with fields \(dim\)"),
        ({"about": 1}, "belong together"),
        ({"within": 1}, "belong together"),
        ({"type": "float"}, "type must be null or boolean"),
        ({"one_of": 1}, "one_of must be an array"),
    ],
)
def test_a_malformed_operator_is_refused_with_its_place(differences, matcher, message):
    with pytest.raises(BadFile, match=rf"matcher\.json:1:\d+: .*{message}"):
        differences(matcher, 1)
