from __future__ import annotations

import json
import struct

import msgpack
import pytest

from sidecar.tools.harness.entry import Cancel, Request, Write
from sidecar.tools.harness.entry_file import read_entries
from sidecar.tools.harness.located_json import BadFile
from sidecar.tools.harness.values import Stored


@pytest.fixture
def read(tmp_path):
    def read_values(*entries):
        path = tmp_path / "file.json"
        path.write_text(json.dumps(list(entries)), "utf-8")
        return read_entries(path)

    return read_values


@pytest.fixture
def built(read):
    """The audio that an ``embed`` with ``audio`` sends."""

    def build(audio):
        [entry] = read({"method": "embed", "params": {"audio": audio}})
        return entry.action.params["audio"]

    return build


EMBED = {"method": "embed", "params": {"audio": {"tone": {}}}}


def test_a_tone(built):
    audio = built({"tone": {"frequency_hz": 4000, "duration_s": 0.001, "level": 0.25}, "end_s": 1})
    samples = struct.unpack("<16f", audio.pop("pcm"))
    assert audio == {"encoding": "f32le", "sample_rate_hz": 16_000, "channels": 1, "end_s": 1}
    assert samples[:4] == pytest.approx([0, 0.25, 0, -0.25], abs=1e-6)


def test_16_bits_and_two_channels(built):
    audio = built(
        {
            "tone": {
                "frequency_hz": 2000,
                "sample_rate_hz": 8000,
                "duration_s": 0.0005,
                "encoding": "s16le",
                "channels": 2,
                "level": 2,
            }
        }
    )
    assert struct.unpack("<8h", audio["pcm"]) == (0, 0, 32767, 32767, 0, 0, -32767, -32767)
    assert audio["channels"] == 2


def test_noise_is_the_same_for_the_same_seed(built):
    one, same, other = (built({"noise": {"seed": seed}})["pcm"] for seed in (1, 1, 2))
    assert one == same != other
    assert max(map(abs, struct.unpack("<16000f", one))) == pytest.approx(0.5, abs=0.01)


def test_silence(built):
    assert built({"silence": {"duration_s": 0.5}})["pcm"] == bytes(32_000)


def test_base64_is_a_file_or_pcm(built):
    assert built({"base64": "UklGRg==", "start_s": 1}) == {"file": b"RIFF", "start_s": 1}
    pcm = {"encoding": "s16le", "sample_rate_hz": 16_000, "channels": 1}
    assert built({"base64": "AAAA", **pcm}) == {"pcm": bytes(3), **pcm}


def test_a_path_counts_from_the_files_folder(built, tmp_path):
    assert built({"path": "a/b.wav", "end_s": 2}) == {
        "path": str(tmp_path / "a" / "b.wav"),
        "end_s": 2,
    }


@pytest.mark.parametrize("path", ["/a/b.wav", "C:\\a.wav", "\\\\server\\share\\a.wav"])
def test_an_absolute_path_of_any_system_stays_as_it_is(built, path):
    assert built({"path": path}) == {"path": path}


def test_a_payload_is_sent_as_it_stands(read):
    message = {"id": 5, "params": {"audio": {"path": "a.wav", "tone": {"$hex": "00ff"}}}}
    [entry] = read({"payload": message})
    assert msgpack.unpackb(entry.action.data[4:]) == {
        "id": 5,
        "params": {"audio": {"path": "a.wav", "tone": b"\x00\xff"}},
    }
    assert entry.action.id == 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$bin": "AQI="}, b"\x01\x02"),
        ({"$hex": "01 02", "repeat": 2}, b"\x01\x02\x01\x02"),
        ({"$text": "ä"}, b"\xc3\xa4"),
        ({"$file": "bytes.bin"}, b"from a file"),
    ],
)
def test_bytes(read, tmp_path, value, expected):
    (tmp_path / "bytes.bin").write_bytes(b"from a file")
    raw, frame = read({"raw": value}, {"frame": value})
    assert raw.action.data == expected
    assert frame.action.data == struct.pack("<I", len(expected)) + expected


def test_references(read):
    entries = read(
        {**EMBED, "name": "a"},
        {
            "name": "b",
            "method": "embed_batch",
            "params": {"items": [{"silence": {}}]},
        },
        {"method": "score", "params": {"a": {"from": "a"}, "b": {"from": "b", "item": 0}}},
        {"cancel": "a"},
    )
    assert entries[2].action == Request("score", {"a": Stored(1, None), "b": Stored(2, 0)}, None)
    assert entries[3].action == Cancel(1)


def test_defaults(read):
    request, wait, raw, note = read(
        EMBED, {"wait_for": "ready"}, {"raw": {"$text": "x"}}, {"notification": "m"}
    )
    assert [e.when for e in (request, wait, raw, note)] == ["ready", "now", "ready", "ready"]
    assert request.expectation.wanted == "result"
    assert raw.expectation.wanted == note.expectation.wanted == "nothing"
    assert isinstance(note.action, Write)
    assert [e.title for e in (request, wait, raw)] == ["#1 embed", "#2 wait_for", "#3 raw"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "it has no entry"),
        ([3], "1:2: an entry must be an object, not 3"),
        ([{}], "1:2: an entry has exactly one of method, .*, not none"),
        ([{"methd": "embed"}], "1:3: an entry has no field 'methd'; it has method"),
        ([{"method": "embed", "raw": {}}], "exactly one of .*, not method and raw"),
        ([{**EMBED, "expct": {}}], "an entry with method has no field 'expct'"),
        ([{"close": True, "params": {}}], "an entry with close has no field 'params'"),
        ([{"close": False}], "1:12: close must be true"),
        ([{"method": 3}], "1:13: method must be a string"),
        ([{**EMBED, "id": None}], "write it as one"),
        ([{**EMBED, "when": "later"}], "when must be ready or now or idle"),
        ([{**EMBED, "name": ""}], "name must be a string"),
        ([{**EMBED, "name": "a"}, {**EMBED, "name": "a"}], r"file\.json:1:2 has the name 'a'"),
        ([{"cancel": "a"}], "no entry before this one has the name 'a'"),
        ([{"name": "a", "close": True}, {"cancel": "a"}], "has no id by which"),
        ([{"name": "a", **EMBED, "id": -1}, {"cancel": "a"}], "has no id by which"),
        ([{"wait_for": "redy"}], "wait_for must be loading or ready"),
        ([{"wait_for": {"params": {}}}], "name the method"),
        ([{"wait_for": "ready", "expect": {}}], "1:24: wait_for is an expectation itself"),
        ([{"frame": {"$hex": ""}}], "a frame cannot be empty"),
        ([{"frame": {"$hex": "0"}}], "1:21: .*hex"),
        ([{"raw": "text"}], r"expected bytes, as an object with one of \$bin"),
        ([{"raw": {"$bin": "a"}}], "it is no base64"),
        ([{"raw": {"$bin": 1}}], r"\$bin must be a string"),
        ([{"raw": {"$file": "absent"}}], "absent cannot be read"),
        ([{"raw": {"$text": "x", "repeat": -1}}], "repeat must be an integer of at least 0"),
        ([{"raw": {"$text": "x", "repeat": 2**40}}], "at most 536870912 can be made"),
        ([{"raw": {"$text": "x", "$hex": "00"}}], "only one of them"),
        ([{"raw": {"$text": "x"}, "id": -1}], "the id inside the bytes"),
        ([{"payload": {"$txt": "x"}}], r"has no field '\$txt'"),
        ([{"payload": {"$float": "one"}}], r"\$float must be nan or inf"),
        ([{"payload": {"$float": "nan", "repeat": 2}}], "only bytes can be repeated"),
        ([{**EMBED, "expect": {"results": 1}}], "expect of method has no field 'results'"),
        ([{**EMBED, "expect": {"result": 1, "error": 1}}], "only one of them can be expected"),
        ([{**EMBED, "expect": "all"}], "expect must be answer or nothing"),
        ([{"close": True, "expect": {"result": {}}}], "has no field 'result'; it has exit"),
        ([{**EMBED, "expect": {"took_ms": {"min": "x"}}}], "min must be a number"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(read, entries, message):
    with pytest.raises(BadFile, match=rf"file\.json.*{message}"):
        read(*entries)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ({"tone": {"volume": 1}}, "a tone has no field 'volume'; it has duration_s"),
        ({"tone": {"seed": 1}}, "a tone has no field 'seed'"),
        ({"tone": {}, "loud": 1}, "an audio with a tone has no field 'loud'"),
        ({"tone": {}, "noise": {}}, "it has tone and noise"),
        ({"tone": {"duration_s": -1}}, "a tone of -1 s cannot be made"),
        ({"tone": {"duration_s": 1e9}}, "cannot be made"),
        ({"tone": {"encoding": "f64le"}}, "encoding must be f32le or s16le"),
        ({"tone": {"channels": 0}}, "channels must be an integer of at least 1"),
        ({"base64": "?"}, "it is no base64"),
        ({"from": "x"}, "no entry before this one"),
        ({"from": "first"}, "embed_batch has several embeddings"),
        ({"from": "second", "item": 0}, "embed has only one embedding"),
        ({"from": "third"}, "does not embed"),
        ({"from": "second", "items": 0}, "a stored embedding has no field 'items'"),
    ],
)
def test_a_bad_audio_is_refused_with_its_place(tmp_path, audio, message):
    path = tmp_path / "file.jsonl"
    before = [
        {"method": "embed_batch", "params": {"items": []}, "name": "first"},
        {"method": "embed", "name": "second"},
        {"method": "health", "name": "third"},
    ]
    entry = {"method": "embed", "params": {"audio": audio}}
    path.write_text("\n".join(map(json.dumps, [*before, entry])), "utf-8")
    with pytest.raises(BadFile, match=rf"file\.jsonl:4:\d+: .*{message}"):
        read_entries(path)
