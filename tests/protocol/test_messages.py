from __future__ import annotations

import contextlib
import inspect

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import errors
from protocol.errors import (
    InvalidParams,
    InvalidRequest,
    ParseError,
    SidecarError,
)
from protocol.fields import Fields
from protocol.hello import Hello, Limits, encode_hello
from protocol.messages import (
    Failure,
    Ignored,
    Notice,
    Refusal,
    Request,
    Result,
    decode_from_child,
    decode_from_host,
    encode_cancel,
    encode_error,
    encode_notification,
    encode_request,
    encode_result,
)
from protocol.params import (
    CancelParams,
    EmbedBatchParams,
    EmbedParams,
    EmbedWindowsParams,
    FileAudio,
    HealthParams,
    MetricsParams,
    PathAudio,
    PcmAudio,
    ScoreParams,
    ShutdownParams,
    StoredEmbedding,
)
from protocol.payload import MAX_ARRAY_ITEMS, MAX_DEPTH, MAX_VALUES, pack, unpack
from protocol.reports import EmbedTimings, Progress, ScoreResult
from protocol.wire_reports import to_wire

times = st.none() | st.floats(-1e6, 1e6)
pcm = st.builds(
    PcmAudio, st.binary(), st.text(), st.integers(0, 2**40), st.integers(0, 99), times, times
)
audio = (
    pcm | st.builds(FileAudio, st.binary(), times, times) | st.builds(PathAudio, st.text(), times)
)
deadline = st.none() | st.floats(0, 1e9)
positive = st.floats(0.01, 1e6)
stored = st.builds(StoredEmbedding, st.binary(min_size=16, max_size=16), st.text())
params = st.one_of(
    st.builds(EmbedParams, audio, st.booleans(), deadline),
    st.builds(
        EmbedBatchParams,
        st.lists(audio, min_size=1, max_size=4).map(tuple),
        st.booleans(),
        deadline,
    ),
    st.builds(EmbedWindowsParams, audio, positive, positive, st.booleans(), deadline),
    st.builds(ScoreParams, audio | stored, audio | stored),
    st.builds(HealthParams),
    st.builds(MetricsParams),
    st.builds(ShutdownParams, deadline),
)
ids = st.integers(0, 2**53 - 1) | st.text(min_size=1, max_size=16)


@given(ids, params)
def test_a_request_is_read_as_it_was_written(request_id, asked):
    assert decode_from_host(encode_request(request_id, asked)) == Request(request_id, asked)


@given(ids)
def test_a_cancel_is_read_as_it_was_written(request_id):
    assert decode_from_host(encode_cancel(request_id)) == CancelParams(request_id)


def test_a_result_is_read_as_it_was_written():
    sent = {"score": ScoreResult(0.5, "f"), "timings": [EmbedTimings(1.0, 2.0, 3.0)], "x": b"\0"}
    read = decode_from_child(encode_result(3, sent))
    timings = {"decode_ms": 1.0, "queue_ms": 2.0, "compute_ms": 3.0}
    score = {"cosine": 0.5, "fingerprint": "f"}
    assert read == Result(3, {"score": score, "timings": [timings], "x": b"\0"})


def test_a_notification_is_read_as_it_was_written():
    read = decode_from_child(encode_notification(Progress("download", 1, None, "bytes")))
    params = {"phase": "download", "done": 1, "total": None, "unit": "bytes"}
    assert read == Notice("progress", params)


def test_hello_is_read_as_it_was_written():
    limits = Limits(1, 2, 3, 4, 5, 6)
    hello = Hello("sidecar", "1.0", 7, "abc", ("audio.pcm",), limits)
    read = decode_from_child(encode_hello(hello))
    assert read == Notice("hello", to_wire(hello))
    assert (read.params["protocol"], read.params["limits"]["max_windows"]) == (1, 5)


ERROR_CLASSES = [
    c
    for _, c in inspect.getmembers(errors, inspect.isclass)
    if issubclass(c, SidecarError) and c is not SidecarError
]


@pytest.mark.parametrize("error_class", ERROR_CLASSES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("request_id", [None, 5, "five"])
def test_an_error_is_read_as_it_was_written(error_class, request_id):
    error = error_class("what to do", limit=3)
    data = {"kind": error_class.default_kind, "retryable": error_class.retryable, "limit": 3}
    read = decode_from_child(encode_error(request_id, error))
    assert read == Failure(request_id, error_class.code, "what to do", data)


@pytest.mark.parametrize("kind", ["download_failed", "disk_full"])
def test_a_fetch_that_failed_may_be_tried_again(kind):
    error = errors.ModelUnavailable("the server answered 503", kind, n_bytes=7)
    assert error.retryable
    assert error.data() == {"kind": kind, "retryable": True, "n_bytes": 7}


@pytest.mark.parametrize(
    "kind", [None, "unknown_model", "offline", "hash_mismatch", "damaged", "not_writable"]
)
def test_a_model_that_will_not_be_there_later_either_is_not_asked_for_again(kind):
    error = errors.ModelUnavailable("put it there", kind)
    assert not error.retryable
    assert error.data()["retryable"] is False


def test_a_kind_says_nothing_of_other_classes():
    assert not errors.BadAudio("no audio", "disk_full").retryable


def test_the_base_error_cannot_be_raised():
    with pytest.raises(TypeError, match="abstract"):
        SidecarError("anything")


def test_codes_are_those_of_the_contract():
    codes = {c.code for c in ERROR_CLASSES}
    assert codes == {
        *(-32700, -32600, -32601, -32602, -32603),
        *(-32001, -32003, -32004, -32800, -32010, -32011, -32012, -32013, -32014, -32015),
        *(-32020, -32021),
    }


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "result": 5},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": "m"}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m", "data": []}},
        {"jsonrpc": "2.0", "id": 1.5, "result": {}},
        {"jsonrpc": "2.0", "method": "health", "params": 5},
    ],
)
def test_a_host_refuses_what_no_child_sends(message):
    with pytest.raises(SidecarError):
        decode_from_child(msgpack.packb(message))


def test_a_notification_without_params_has_none():
    assert decode_from_child(pack({"jsonrpc": "2.0", "method": "x"})) == Notice("x", {})


def request_of(method, params):
    return decode_from_host(
        msgpack.packb({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    )


GOOD_PCM = {"pcm": b"", "encoding": "f32le", "sample_rate_hz": 16000, "channels": 1}


@pytest.mark.parametrize(
    ("method", "params", "place"),
    [
        ("embed", 5, "params must be a map"),
        ("embed", {"audio": 5}, r"params.audio must be a map"),
        ("embed", {"audio": {}}, "exactly one of pcm, file and path, not none"),
        ("embed", {"audio": {"file": b"", "path": ""}}, "not file and path"),
        ("embed", {"audio": {"file": "text"}}, "params.audio.file must be a bin"),
        ("embed", {"audio": {"file": "t" * 99}}, "a str of length 99"),
        ("embed", {"audio": {"path": 7}}, "params.audio.path must be a string"),
        ("embed", {"audio": {**GOOD_PCM, "channels": True}}, "channels must be an integer"),
        ("embed", {"audio": {**GOOD_PCM, "channels": -1}}, "channels must be an integer"),
        ("embed", {"audio": {**GOOD_PCM, "start_s": "1"}}, "start_s must be a number"),
        ("embed", {"audio": {**GOOD_PCM, "start_s": True}}, "start_s must be a number"),
        ("embed", {"audio": {**GOOD_PCM, "start_s": float("inf")}}, "must be a finite number"),
        ("embed", {"audio": {**GOOD_PCM, "start_s": 2**60}}, "must be a finite number"),
        ("embed", {"audio": {**GOOD_PCM, "gain": 2}}, "does not know: 'gain'"),
        ("embed", {"audio": GOOD_PCM, "normalize": 1}, "normalize must be a boolean"),
        ("embed", {"audio": GOOD_PCM, "deadline_ms": -1}, "must not be below 0"),
        ("embed_batch", {"items": GOOD_PCM}, "items must be an array"),
        ("embed_batch", {"items": [GOOD_PCM, {}]}, r"params.items\[1\] must have"),
        ("embed_windows", {"audio": GOOD_PCM, "window_s": 0, "hop_s": 1}, "above 0"),
        ("embed_windows", {"audio": GOOD_PCM, "window_s": 1, "hop_s": -1}, "above 0"),
        ("embed_windows", {"audio": GOOD_PCM, "window_s": 1}, "hop_s is missing"),
        ("score", {"a": GOOD_PCM}, "params.b is missing"),
        ("score", {"a": {"embedding": b"123", "fingerprint": ""}, "b": GOOD_PCM}, "whole"),
        ("score", {"a": {"embedding": b"", "fingerprint": ""}, "b": GOOD_PCM}, "whole"),
        (
            "score",
            {"a": {"embedding": b"1234" * 5000, "fingerprint": ""}, "b": GOOD_PCM},
            "16384 bytes at most",
        ),
        ("health", {"verbose": True}, "does not know: 'verbose'"),
    ],
)
def test_bad_params_are_refused_with_their_place(method, params, place):
    refusal = request_of(method, params)
    assert isinstance(refusal, Refusal)
    assert refusal.id == 1
    assert isinstance(refusal.error, InvalidParams)
    with pytest.raises(InvalidParams, match=place):
        raise refusal.error


def test_nil_is_the_same_as_absent():
    audio = {**GOOD_PCM, "start_s": None, "file": None}
    request = request_of("embed", {"audio": audio, "normalize": None, "deadline_ms": None})
    assert request == Request(1, EmbedParams(PcmAudio(b"", "f32le", 16000, 1)))


def test_an_unknown_field_that_is_nil_is_absent_too():
    assert request_of("health", {"later": None}) == Request(1, HealthParams())


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "cancel"},
        {"jsonrpc": "2.0", "method": "cancel", "params": {"id": 1.0}},
        {"jsonrpc": "2.0", "method": "cancel", "params": {"id": 1, "why": "x"}},
        {"jsonrpc": "2.0", "method": "embed", "id": None},
        {"jsonrpc": "1.0", "method": "cancel"},
    ],
)
def test_a_notification_is_never_answered(message):
    assert isinstance(decode_from_host(msgpack.packb(message)), Ignored)


@pytest.mark.parametrize("method", [None, 5, []])
def test_a_method_must_be_a_string(method):
    refusal = decode_from_host(msgpack.packb({"jsonrpc": "2.0", "id": 1, "method": method}))
    assert isinstance(refusal, Refusal)
    assert isinstance(refusal.error, InvalidRequest)


def test_values_are_bounded_whatever_the_payload_says():
    wide = [[None] * MAX_ARRAY_ITEMS] * 3
    assert unpack(pack({"a": wide}))
    many = [[]] * MAX_ARRAY_ITEMS
    for too_much in (wide * 2, [many] * 2):
        with pytest.raises(ParseError, match=f"more than {MAX_VALUES}"):
            unpack(pack({"a": too_much}))
    with pytest.raises(ParseError):
        unpack(b"\x81\xa1a\xdd\xff\xff\xff\xff")  # an array that claims 2^32-1 items
    with pytest.raises(ParseError):
        unpack(b"\xdf\xff\xff\xff\xff")  # a map that claims as many
    with pytest.raises(ParseError):
        unpack(b"\x91" * 100_000)


def test_depth_is_counted_from_the_root():
    value: object = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert unpack(pack({"a": value}))
    with pytest.raises(ParseError, match="deeper"):
        unpack(pack({"a": [value]}))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_map_or_a_named_error(payload):
    with contextlib.suppress(ParseError, InvalidRequest):
        assert isinstance(unpack(payload), dict)


@given(st.binary(max_size=64))
def test_no_payload_raises(payload):
    assert decode_from_host(payload) is not None


def test_fields_know_what_they_hold():
    fields = Fields({"a": 1, "b": None}, "params")
    assert "a" in fields
    assert "b" not in fields
    assert fields.value("a") == 1
    assert fields.required_real("a") == 1.0
