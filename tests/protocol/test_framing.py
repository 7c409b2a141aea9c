from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FramingError
from protocol.framing import MAX_FRAME_BYTES, FrameDecoder, encode_frame

payload_lists = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@given(payload_lists, st.lists(st.integers(1, 60), min_size=1))
def test_any_chunking_gives_the_same_payloads(payloads, chunk_sizes):
    stream = b"".join(map(encode_frame, payloads))
    decoder, found, position, turn = FrameDecoder(), [], 0, 0
    while position < len(stream):
        size = chunk_sizes[turn % len(chunk_sizes)]
        found += decoder.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert found == payloads
    assert decoder.pending_bytes == 0


@given(payload_lists.filter(bool), st.data())
def test_a_cut_stream_gives_what_is_whole_and_says_what_is_left(payloads, data):
    stream = b"".join(map(encode_frame, payloads))
    cut = data.draw(st.integers(0, len(stream) - 1))
    decoder = FrameDecoder()
    found = list(decoder.feed(stream[:cut]))
    assert found == payloads[: len(found)]
    assert decoder.pending_bytes == cut - sum(4 + len(p) for p in found)
    assert found + list(decoder.feed(stream[cut:])) == payloads


def test_payloads_that_were_not_taken_come_first_in_the_next_call():
    decoder = FrameDecoder()
    decoder.feed(encode_frame(b"a") + encode_frame(b"b"))
    assert list(decoder.feed(encode_frame(b"c"))) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("n_bytes", [0, MAX_FRAME_BYTES + 1, 2**32 - 1])
def test_a_bad_length_is_refused_before_its_payload_arrives(n_bytes):
    decoder = FrameDecoder()
    frames = decoder.feed(encode_frame(b"good") + struct.pack("<I", n_bytes))
    assert next(frames) == b"good"
    with pytest.raises(FramingError, match=str(n_bytes)) as caught:
        next(frames)
    assert caught.value.kind == "frame_length"
    with pytest.raises(FramingError):
        list(decoder.feed(encode_frame(b"more")))


def test_the_largest_length_is_the_limit():
    decoder = FrameDecoder(max_frame_bytes=8)
    assert list(decoder.feed(encode_frame(b"x" * 8))) == [b"x" * 8]
    with pytest.raises(FramingError):
        list(decoder.feed(encode_frame(b"x" * 9)))


@pytest.mark.parametrize("payload", [b"", b"x" * 9])
def test_what_cannot_be_read_is_not_written(payload):
    with pytest.raises(FramingError):
        encode_frame(payload, max_frame_bytes=8)


def test_text_is_shown_in_the_error():
    with pytest.raises(FramingError, match="hello wo"):
        list(FrameDecoder().feed(b"hello world"))
