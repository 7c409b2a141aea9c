from __future__ import annotations

import json

import pytest

from sidecar.tools.harness.json_file import BadFile, Node
from sidecar.tools.harness.matching import check_expected, differences
from sidecar.tools.harness.values import ValueBuilder


@pytest.fixture
def compare(tmp_path):
    def find(expected, value):
        node = Node("file.json", "[0].expect", json.loads(json.dumps(expected)))
        check_expected(node)
        return list(differences(ValueBuilder(tmp_path, None).build(node), value, "x"))

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
        ({"contains": {"$text": "bin"}}, b"a bin"),
        ({"one_of": ["a", {"min": 3}]}, 4),
        ({"each": {"min": 0}}, [0, 1]),
        ({"contains": {"min": 1}}, [{"min": 1}]),
        ({"contains": [1]}, [2, [1]]),
        ({"$text": "bin"}, b"bin"),
    ],
)
def test_what_matches(compare, matcher, value):
    assert compare(matcher, value) == []


@pytest.mark.parametrize(
    ("matcher", "value", "expected"),
    [
        (3, 4, "x is 4, expected 3"),
        (1, True, "x is true, expected 1"),
        (True, 1, "x is 1, expected true"),
        ("a", None, 'x is null, expected "a"'),
        ([1], [1, 2], "x has 2 items, expected 1"),
        ([1, 2], [1, 3], "x[1] is 3, expected 2"),
        ([1], "1", 'x is "1", expected an array'),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "x.a.b is 2, expected 1"),
        ({"a": {"b": 1}}, {}, "x.a is null, expected an object"),
        ({"min": 1}, 0.5, "x is 0.5, expected at least 1"),
        ({"min": 1}, "2", 'x is "2", expected at least 1'),
        ({"max": 1}, float("nan"), "x is NaN, expected at most 1"),
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
        ({"$text": "bin"}, b"abcd", "x is a bin of 4 bytes, expected a bin of 3 bytes"),
    ],
)
def test_what_differs_is_told_in_words(compare, matcher, value, expected):
    assert compare(matcher, value) == [expected]


@pytest.mark.parametrize(
    ("matcher", "message"),
    [
        ({"min": "1"}, '.min must be a number, not "1"'),
        ({"min": 1, "dim": 2}, " mixes operators (min) with fields (dim)"),
        ({"about": 1}, " must have both about and within: they belong together"),
        ({"within": 1}, " must have both about and within: they belong together"),
        ({"type": "float"}, '.type must be "null" or "boolean"'),
        ({"one_of": 1}, ".one_of must be an array, not 1"),
        ({"a": [{}, {"max": None}]}, ".a[1].max must be a number, not null"),
        ({"each": {"length": {"max": []}}}, ".each.length.max must be a number"),
        ({"one_of": [1, {"type": 2}]}, '.one_of[1].type must be "null" or "boolean"'),
    ],
)
def test_a_malformed_operator_is_refused_with_its_path(compare, matcher, message):
    with pytest.raises(BadFile) as caught:
        compare(matcher, 1)
    assert str(caught.value).startswith(f"file.json: [0].expect{message}")
