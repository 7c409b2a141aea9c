"""``diarize`` on its way to the child, and what the child makes of its counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.diarization import DiarizeParams
from protocol.errors import InvalidParams
from protocol.fields import Fields
from protocol.messages import Request, decode_from_host, encode_request
from protocol.methods import audios_of
from protocol.params import FileAudio
from protocol.wire_params import read_params, write_params

AUDIO = FileAudio(b"file")
count = st.integers(1, 100)
flags = st.booleans()
counts = st.one_of(
    st.builds(lambda n: {"n_speakers": n}, count),
    st.builds(lambda a, b: {"min_speakers": min(a, b), "max_speakers": max(a, b)}, count, count),
    st.builds(lambda n: {"min_speakers": n}, count),
    st.builds(lambda n: {"max_speakers": n}, count),
    st.just({}),
)


@given(counts, flags, flags, flags, st.none() | st.floats(0, 1e9))
def test_what_is_asked_for_arrives(how_many, identify, exclusive, progress, deadline_ms):
    params = DiarizeParams(
        AUDIO,
        **how_many,
        identify=identify,
        exclusive=exclusive,
        progress=progress,
        deadline_ms=deadline_ms,
    )
    assert decode_from_host(encode_request(7, params)) == Request(7, params)
    assert audios_of(params) == (AUDIO,)


def test_what_is_not_asked_for_is_not_sent():
    assert write_params(DiarizeParams(AUDIO)) == {"audio": {"file": b"file"}}


@pytest.mark.parametrize(
    ("how_many", "told"),
    [
        ({"n_speakers": 0}, "n_speakers must be 1 to 100, but is 0"),
        ({"max_speakers": 101}, "max_speakers must be 1 to 100"),
        ({"n_speakers": 2, "min_speakers": 1}, "send one"),
        ({"min_speakers": 3, "max_speakers": 2}, "must not be above"),
        ({"n_speakers": 2.0}, "an integer"),
        ({"speakers": 2}, "'speakers'"),
    ],
)
def test_what_cannot_be_meant_is_refused(how_many, told):
    values = Fields({"audio": {"file": b"file"}, **how_many}, "params")
    with pytest.raises(InvalidParams, match=told):
        read_params("diarize", values)
