from __future__ import annotations

import os

import pytest

from protocol.errors import FramingError
from protocol.framing import encode_frame
from sidecar.wire.reader import FrameReader
from sidecar.wire.streams import Streams


@pytest.fixture
def pipe():
    read_fd, write_fd = os.pipe()
    yield read_fd, write_fd
    os.close(read_fd)


def read(pipe, stream, on_payload):
    read_fd, write_fd = pipe
    os.write(write_fd, stream)
    os.close(write_fd)
    ends = []
    reader = FrameReader(
        Streams(read_fd, -1), 100, on_payload, lambda *end: ends.append(end), lambda: None
    )
    reader.start()
    reader.join(10)
    [(error, n_pending_bytes)] = ends
    return error, n_pending_bytes


def test_the_end_is_told_with_what_is_left_of_a_frame(pipe):
    seen = []
    end = read(pipe, encode_frame(b"a") + b"\1\0", lambda payload, at: seen.append(payload))
    assert end == (None, 2)
    assert seen == [b"a"]


def test_a_bad_length_ends_the_reading(pipe):
    error, _ = read(pipe, b"\xff" * 8, lambda *_: None)
    assert isinstance(error, FramingError)


def test_a_fault_in_dispatch_is_told_and_does_not_leave_a_deaf_process(pipe):
    error, _ = read(pipe, encode_frame(b"a"), lambda *_: 1 / 0)
    assert isinstance(error, ZeroDivisionError)
