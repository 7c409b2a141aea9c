from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import soundfile

from sidecar.tools.harness.entries import ResultField, Stored, read_entries
from sidecar.tools.harness.json_file import BadFile


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
        return entry.body["params"]["audio"]

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


class TestWhatIsPushed:
    @pytest.fixture
    def pushed(self, read):
        def build(pcm):
            [entry] = read({"method": "stream_push", "params": {"stream": "s", "pcm": pcm}})
            return entry.body["params"]["pcm"]

        return build

    def test_a_sound_is_its_samples(self, pushed):
        sound = {"silence": {"duration_s": 0.01, "channels": 2, "encoding": "s16le"}}
        assert pushed(sound) == bytes(640)
        assert pushed({"$hex": "00ff"}) == b"\x00\xff"

    def test_a_recording_is_the_samples_of_a_part_of_it(self, pushed, tmp_path):
        samples = np.arange(16_000, dtype="<i2").reshape(8_000, 2)
        soundfile.write(tmp_path / "a.wav", samples, 8_000)
        whole = {"recording": "a.wav", "encoding": "s16le"}
        assert pushed(whole) == samples.tobytes()
        assert pushed({**whole, "start_s": 0.25, "end_s": 0.5}) == samples[2_000:4_000].tobytes()
        floats = np.frombuffer(pushed({"recording": "a.wav"}), "<f4")
        assert np.array_equal(floats, samples.reshape(-1).astype("<f4") / 32_768)

    def test_what_cannot_be_pushed(self, pushed):
        with pytest.raises(BadFile, match="cannot be read"):
            pushed({"recording": "none.wav"})
        with pytest.raises(BadFile, match="recording"):
            pushed({"recording": "a.wav", "loud": 1})


def test_base64_is_a_file_or_pcm(built):
    assert built({"base64": "UklGRg==", "start_s": 1}) == {"file": b"RIFF", "start_s": 1}
    pcm = {"encoding": "s16le", "sample_rate_hz": 16_000, "channels": 1}
    assert built({"base64": "AAAA", **pcm}) == {"pcm": bytes(3), **pcm}


def test_a_path_counts_from_the_files_folder(built, tmp_path):
    assert built({"path": "a/b.wav", "end_s": 2}) == {
        "path": str(tmp_path / "a" / "b.wav"),
        "end_s": 2,
    }


def test_an_absolute_path_stays_as_it_is(built, tmp_path):
    path = str(tmp_path.parent / "b.wav")
    assert built({"path": path}) == {"path": path}


def test_a_payload_is_sent_as_it_stands(read):
    message = {"id": 5, "params": {"audio": {"path": "a.wav", "tone": {"$hex": "00ff"}}}}
    [entry] = read({"payload": message})
    assert entry.body == {
        "id": 5,
        "params": {"audio": {"path": "a.wav", "tone": b"\x00\xff"}},
    }
    assert entry.answer_id == 5


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
    assert raw.body == frame.body == expected


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
    assert entries[2].body["params"] == {"a": Stored(entries[0], None), "b": Stored(entries[1], 0)}
    assert entries[3].body == {"jsonrpc": "2.0", "method": "cancel", "params": {"id": "#1"}}


def test_references_of_people(read):
    voices = [{"from": "a", "speech_s": 4}, {"from": "a"}]
    entries = read(
        {**EMBED, "name": "a"},
        {"name": "ada", "method": "enroll", "params": {"name": "Ada", "embeddings": voices}},
        {
            "method": "export_people",
            "params": {"ids": [{"$result": "ada", "field": "warnings.0.id"}]},
        },
    )
    [embed, enroll, export] = entries
    assert enroll.body["params"]["embeddings"] == [Stored(embed, None, 4), Stored(embed, None)]
    assert export.body["params"] == {"ids": [ResultField(enroll, "warnings.0.id")]}


QUALITY = {"speech_s": 2.5}


@pytest.mark.parametrize(
    ("given", "result", "expected"),
    [
        ({}, {}, {}),
        ({}, {"quality": None}, {}),
        ({}, {"quality": {"speech_s": None}}, {}),
        ({}, {"quality": QUALITY}, {"speech_s": 2.5}),
        ({"speech_s": 4}, {"quality": QUALITY}, {"speech_s": 4}),
        ({"speech_s": 0}, {"quality": QUALITY}, {"speech_s": 0}),
    ],
)
def test_a_stored_embedding_knows_of_how_much_speech_it_is(read, given, result, expected):
    [embed, score] = read(
        {**EMBED, "name": "a"},
        {"method": "score", "params": {"a": {"from": "a", **given}, "b": {"tone": {}}}},
    )
    embed.answer = {"result": {"embedding": b"four", "fingerprint": "f", **result}}
    stored = {"embedding": b"four", "fingerprint": "f"}
    assert score.body["params"]["a"].value() == {**stored, **expected}


def test_a_field_of_an_earlier_result(read):
    [people, person] = read(
        {"method": "people", "name": "all"},
        {"method": "person", "params": {"id": {"$result": "all", "field": "people.1.id"}}},
    )
    people.answer = {"result": {"people": [{"id": "p-1"}, {"id": "p-2"}]}}
    wanted = person.body["params"]["id"]
    assert wanted.value() == "p-2"
    for result in ({}, {"people": []}, {"people": None}, {"people": [{}, {}]}):
        people.answer = {"result": result}
        with pytest.raises((LookupError, TypeError)):
            wanted.value()


def test_defaults(read):
    request, wait, raw, note = read(
        EMBED, {"wait_for": "ready"}, {"raw": {"$text": "x"}}, {"notification": "m"}
    )
    assert [e.when for e in (request, wait, raw, note)] == ["ready", "now", "ready", "ready"]
    assert request.wanted == "result"
    assert raw.wanted == note.wanted == "nothing"
    assert note.body == {"jsonrpc": "2.0", "method": "m"}
    assert [e.title for e in (request, wait, raw)] == ["#1 embed", "#2 wait_for", "#3 raw"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "it has no entry"),
        ([3], "[0] must be an object, not 3"),
        ([{}], "[0] must have one of method, notification, cancel,"),
        ([EMBED, {"methd": "embed"}], "[1] must have one of method,"),
        (
            [{"method": "embed", "raw": {}}],
            "[0] must have one of method, notification, cancel, payload, frame, raw, "
            "close, wait_for, not method and raw",
        ),
        (
            [{**EMBED, "expct": {}}],
            '[0] has no field "expct"; it may have method, params, id, name, when, expect',
        ),
        ([{"close": True, "params": {}}], '[0] has no field "params"; it may have close,'),
        ([{"close": False}], "[0].close must be true, not false"),
        ([{"method": 3}], "[0].method must be a string, not 3"),
        ([{**EMBED, "when": "later"}], '[0].when must be "ready" or "now" or "idle", not "later"'),
        ([{**EMBED, "name": 1}], "[0].name must be a string, not 1"),
        ([{**EMBED, "name": "a"}, {**EMBED, "name": "a"}], "[1].name is that of FILE: [0] already"),
        ([{"cancel": "a"}], "[0].cancel is a name that no entry before it has"),
        (
            [{"name": "a", "close": True}, {"cancel": "a"}],
            "[1].cancel is that of FILE: [0], which has no id to cancel it by",
        ),
        ([{"name": "a", **EMBED, "id": -1}, {"cancel": "a"}], "[1].cancel is that of FILE: [0], "),
        ([{"wait_for": "redy"}], '[0].wait_for must be "loading" or "ready"'),
        ([{"wait_for": 3}], "[0].wait_for must be an object, not 3"),
        (
            [{"wait_for": {"method": "m", "params": {"x": {"min": "1"}}}}],
            "[0].wait_for.params.x.min must be a number",
        ),
        (
            [{"wait_for": "ready", "expect": {}}],
            '[0] has no field "expect"; it may have wait_for, name, when',
        ),
        ([{"frame": {"$hex": "0"}}], "[0].frame.$hex cannot be read: "),
        ([{"raw": "text"}], "[0].raw must be bytes, such as"),
        ([{"raw": {"$bin": "a"}}], "[0].raw.$bin cannot be read: "),
        ([{"raw": {"$bin": 1}}], "[0].raw.$bin must be a string, not 1"),
        ([{"raw": {"$file": "absent"}}], "[0].raw.$file cannot be read: "),
        ([{"raw": {"$text": "x", "repeat": -1}}], "[0].raw.repeat must be an integer of at least"),
        (
            [{"raw": {"$text": "x", "repeat": 2**40}}],
            "[0].raw would have 1.09951e+12 bytes; at most",
        ),
        ([{"raw": {"$text": "x", "$hex": "00"}}], "[0].raw must have one of $bin, $hex,"),
        ([{"payload": [{"$txt": "x"}]}], "[0].payload[0] must have one of $bin, $hex,"),
        ([{"payload": {"$float": "one"}}], '[0].payload.$float must be "nan" or "inf" or "-inf"'),
        (
            [{"payload": {"$float": "nan", "repeat": 2}}],
            '[0].payload has no field "repeat"; it may have $float',
        ),
        (
            [{"method": "person", "params": {"id": {"$result": "a", "field": "id"}}}],
            "[0].params.id.$result is a name that no entry before it has",
        ),
        (
            [{**EMBED, "name": "a"}, {"method": "m", "params": {"id": {"$result": "a"}}}],
            "[1].params.id must say which field of that result",
        ),
        (
            [{**EMBED, "name": "a"}, {"payload": [{"$result": "a", "field": "id"}]}],
            "[1].payload[0] cannot stand here: an earlier result can be used in params alone",
        ),
        (
            [{**EMBED, "expect": {"result": {"dim": {"$result": "a", "field": "dim"}}}}],
            "[0].expect.result.dim cannot stand here: ",
        ),
        ([{"payload": 2**64}], "[0] cannot be used: Integer value out of range"),
        (
            [{"method": "m", "params": {"a": ["\ud800"]}}],
            "[0] cannot be used: 'utf-8' codec",
        ),
        ([{"payload": {"\ud800": 1}}], "[0] cannot be used: 'utf-8' codec"),
        ([{**EMBED, "expect": {"results": 1}}], '[0].expect has no field "results"; it may have'),
        ([{**EMBED, "expect": "all"}], '[0].expect must be "answer" or "nothing", not "all"'),
        (
            [{"close": True, "expect": {"result": {}}}],
            '[0].expect has no field "result"; it may have exit',
        ),
        ([{**EMBED, "expect": {"took_ms": {"min": "x"}}}], "[0].expect.took_ms.min must be a numb"),
    ],
)
def test_a_bad_entry_is_refused_with_its_path(read, tmp_path, entries, message):
    with pytest.raises(BadFile) as caught:
        read(*entries)
    file = str(tmp_path / "file.json")
    assert str(caught.value).startswith(f"{file}: {message.replace('FILE', file)}")


def test_what_is_nested_too_deeply_is_refused(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(f'{{"payload": {"[" * 999 + "]" * 999}}}', "utf-8")
    with pytest.raises(BadFile, match="recursion"):
        read_entries(path)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ({"tone": {"volume": 1}}, '.tone has no field "volume"; it may have duration_s'),
        ({"tone": {}, "loud": 1}, ' has no field "loud"; it may have tone, start_s, end_s'),
        ({"tone": {}, "noise": {}}, " must have one of tone, noise, silence, base64, from"),
        ({"tone": {"duration_s": -1}}, ".tone would have -64000 bytes; at most"),
        ({"tone": {"duration_s": 1e9}}, ".tone would have "),
        ({"tone": {"duration_s": 1e999}}, ".tone would have "),
        ({"tone": {"duration_s": "x"}}, '.tone.duration_s must be a number, not "x"'),
        ({"tone": {"encoding": "f64le"}}, '.tone.encoding must be "f32le" or "s16le"'),
        ({"tone": {"channels": 0}}, ".tone.channels must be an integer of at least 1, not 0"),
        ({"tone": {"channels": True}}, ".tone.channels must be an integer of at least 1, not true"),
        ({"base64": "?"}, ".base64 cannot be read"),
        ({"from": "x"}, ".from is a name that no entry before it has"),
        ({"from": "first", "items": 0}, ' has no field "items"; it may have from, item'),
    ],
)
def test_a_bad_audio_is_refused_with_its_line_and_path(tmp_path, audio, message):
    path = tmp_path / "file.jsonl"
    before = {"method": "embed", "name": "first"}
    entry = {"method": "embed", "params": {"audio": audio}}
    text = "\n".join(map(json.dumps, [before, entry])).replace("Infinity", "1e999")
    path.write_text(text, "utf-8")
    with pytest.raises(BadFile) as caught:
        read_entries(path)
    assert str(caught.value).startswith(f"{path}:2: params.audio{message}")
