"""Streams on their way to the child and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InvalidParams
from protocol.fields import Fields
from protocol.messages import (
    Notice,
    Request,
    decode_from_child,
    decode_from_host,
    encode_notification,
    encode_request,
)
from protocol.streams import (
    KnownSpeaker,
    StreamCloseParams,
    StreamLevel,
    StreamOpenParams,
    StreamPushParams,
    StreamTurn,
)
from protocol.wire_params import read_params, write_params

names = st.text(min_size=1, max_size=16)
seconds = st.floats(0, 1e9)
embeddings = st.binary(min_size=1, max_size=8).map(lambda data: 4 * data)
speakers = st.builds(KnownSpeaker, names, embeddings, names, seconds)
openings = st.builds(
    StreamOpenParams,
    sample_rate_hz=st.integers(0, 10**6),
    encoding=names,
    channels=st.integers(0, 100),
    channel=st.none() | st.just("mix") | st.integers(0, 9),
    identify=st.booleans(),
    detail=st.sampled_from(["turns", "levels"]),
    start_s=seconds,
    speakers=st.lists(speakers, max_size=3, unique_by=lambda one: one.label).map(tuple),
)
closings = st.builds(
    StreamCloseParams,
    names,
    max_speakers=st.none() | st.integers(1, 100),
    exclusive=st.booleans(),
    deadline_ms=st.none() | seconds,
)
pushes = st.builds(StreamPushParams, names, st.binary(max_size=100))


@given(st.one_of(openings, pushes, closings))
def test_what_is_asked_for_arrives(params):
    assert decode_from_host(encode_request(7, params)) == Request(7, params)


def test_what_is_not_asked_for_is_not_sent():
    assert write_params(StreamOpenParams(16_000, "s16le")) == {
        "sample_rate_hz": 16_000,
        "encoding": "s16le",
        "channels": 1,
        "detail": "turns",
    }
    assert write_params(StreamCloseParams("s")) == {"stream": "s"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"detail": "words"}, "turns or levels"),
        ({"start_s": -0.5}, "must not be below 0"),
        ({"speakers": [{}] * 101}, "may have 100"),
        ({"speakers": [{"label": "S1"}]}, "embedding is missing"),
        (
            {"speakers": [{"label": "S1", "embedding": b"0123", "fingerprint": "f"}]},
            "speech_s is missing",
        ),
        ({"channels": 1.5}, "an integer"),
        ({"audio": {}}, "'audio'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, told):
    values = Fields({"sample_rate_hz": 16_000, "encoding": "f32le", **options}, "params")
    with pytest.raises(InvalidParams, match=told):
        read_params("stream_open", values)


def test_a_turn_that_lasts_says_that_it_has_no_end_yet():
    told = StreamTurn("s", 3, 1.5, None, final=False)
    assert decode_from_child(encode_notification(told)) == Notice(
        "stream_turn", {"stream": "s", "turn": 3, "start_s": 1.5, "end_s": None, "final": False}
    )


def test_silence_has_no_level():
    told = StreamLevel("s", 0.0, 0.25, speech=0.0)
    assert decode_from_child(encode_notification(told)) == Notice(
        "stream_level", {"stream": "s", "start_s": 0.0, "end_s": 0.25, "speech": 0.0}
    )
