from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.tools.harness.located_json import BadFile, Place, read_json


def plain(node):
    if isinstance(node.value, dict):
        return {name: plain(member) for name, member in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


@pytest.fixture
def read(tmp_path):
    def read_text(text, name="file.json"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_json(path)

    return read_text


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)
)


@given(value=values, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_it_reads_what_the_standard_library_writes(tmp_path_factory, value, indent, ascii_only):
    path = tmp_path_factory.getbasetemp() / "any.json"
    text = json.dumps([value], indent=indent, ensure_ascii=ascii_only)
    path.write_text(text.encode("utf-8", "replace").decode(), "utf-8")
    [node] = read_json(path)
    assert plain(node) == json.loads(path.read_text("utf-8"))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', [{"a": 1}]),
        ('[{"a": 1}, {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ('{"a": 1}\n\n{"b": 2}\r\n', [{"a": 1}, {"b": 2}]),
        ('\ufeff{"a": "\u2028"}\n', [{"a": "\u2028"}]),
        ("[]", []),
    ],
)
def test_one_object_or_a_list_or_lines(read, text, expected):
    assert [plain(node) for node in read(text)] == expected


def test_places_count_lines_and_columns_from_1(read):
    [node] = read('[\n  {"a":\n    [true]}]')
    member = node.value["a"]
    assert (node.place.line, node.place.column) == (2, 3)
    assert (member.key_place.line, member.key_place.column) == (2, 4)
    assert (member.place.line, member.place.column) == (3, 5)
    assert str(Place("f.json", 3, 5)) == "f.json:3:5"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "1:1", "Expecting value"),
        ("nope", "1:1", "Expecting value"),
        ('{"a": 1,\n "b" 2}', "2:6", "expected ':'"),
        ('{"a": 1\n "b": 2}', "2:2", "expected ',' or '}'"),
        ('{"a": 1,}', "1:9", "a field's name in double quotes"),
        ("[1, 2,]", "1:7", "Expecting value"),
        ('["a\nb"]', "1:4", "control character"),
        ('{"a": "b', "1:7", "Unterminated string"),
        ('{"a": 1, "a": 2}', "1:10", "the field 'a' comes twice"),
        ("[NaN]", "1:2", "JSON has no NaN"),
        ("[18446744073709551616]", "1:2", "more than 64 bits"),
        ("[" + "9" * 5000 + "]", "1:2", ""),
        ('["\\ud800"]', "1:2", "surrogate"),
        ("[" * 100, "1:65", "nested deeper than 64"),
        ("[1] [2]", "1:5", "something follows"),
        ('{\n"a": 1}\n{"b": 2}', "3:1", "something follows"),
        ('{"a": 1}\n{"b": }', "2:7", "Expecting value"),
        ('{"a": 1}\n{"b": 2} 3', "2:10", "follows the value on its line"),
        (b'{"a":\n "\xff"}', "2:3", "not UTF-8"),
    ],
)
def test_a_fault_is_reported_with_its_place(read, tmp_path, text, place, message):
    with pytest.raises(BadFile) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'file.json'}:{place}: ")
    assert message in str(caught.value)


def test_in_a_file_of_lines_a_broken_line_does_not_run_into_the_next(read):
    with pytest.raises(BadFile, match=r"lines\.jsonl:1:8: expected ',' or '}'"):
        read('{"a": 1\n"b": 2}', "lines.jsonl")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(BadFile, match="cannot be read"):
        read_json(tmp_path / "absent.json")
