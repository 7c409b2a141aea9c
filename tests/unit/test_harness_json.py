from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.tools.harness.json_file import BadFile, read_nodes


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "file.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_nodes(path)

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
    [node] = read_nodes(path)
    assert walked(node) == json.loads(path.read_text("utf-8"))[0]


def walked(node):
    """The value, put together from all that the node gives."""
    if isinstance(node.value, dict):
        return {name: walked(node[name]) for name in node.value}
    return list(map(walked, node.children())) if isinstance(node.value, list) else node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', [{"a": 1}]),
        ('[{"a": 1}, {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ('{"a": 1}\n\n{"b": 2}\r\n', [{"a": 1}, {"b": 2}]),
        ('\ufeff{"a": "\u2028"}\n', [{"a": "\u2028"}]),
        ('{\n"a": 1}\n{"b": 2} 3', [{"a": 1}, {"b": 2}, 3]),
        ("[]", []),
        ("", []),
    ],
)
def test_objects_behind_one_another_or_the_items_of_an_array(read, text, expected):
    assert [node.value for node in read(text)] == expected


def test_a_value_knows_its_path(read, tmp_path):
    [_, node] = read('[0, {"a": [[true]]}]')
    assert str(node["a"].children()[0].children()[0]) == f"{tmp_path / 'file.json'}: [1].a[0][0]"
    [_, _, node] = read('{}\n{"b":\n2}\n{"a": 1}')
    assert str(node) == f"{tmp_path / 'file.json'}:4"
    assert str(node["a"]) == f"{tmp_path / 'file.json'}:4: a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "1:1: Expecting value"),
        ('{"a": 1,\n "b" 2}', "2:6: Expecting ':' delimiter"),
        ('{"a": 1\n "b": 2}', "2:2: Expecting ',' delimiter"),
        ('["a\nb"]', "1:4: Invalid control character"),
        ('{"a": "b', "1:7: Unterminated string"),
        ('{"a": 1}, {"b": 2}', "1:9: Expecting value"),
        ('{"a": 1}\n{"b": }', "2:7: Expecting value"),
        ("{}\n" + "[" * 10**6, "2: "),
        ("[" + "9" * 5000 + "]", "1: Exceeds the limit"),
        ('{}\n{"a": [{"b": 1, "c": 2, "b": 3}]}', "2: a field comes twice among b, c"),
        (b'{"a":\n "\xff"}', " it cannot be read: 'utf-8' codec"),
    ],
)
def test_what_is_no_json_is_reported_with_its_line(read, tmp_path, text, message):
    with pytest.raises(BadFile) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'file.json'}:{message}")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(BadFile, match="cannot be read"):
        read_nodes(tmp_path / "absent.json")
