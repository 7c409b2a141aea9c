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


def read(pipe, stream, on_payload, *, may_wait=True):
    read_fd, write_fd = pipe
    os.write(write_fd, stream)
    os.close(write_fd)
    return read_to_end(Streams(read_fd, -1), on_payload, may_wait=may_wait)


def read_to_end(streams, on_payload, *, may_wait):
    ends = []
    reader = FrameReader(streams, 100, on_payload, lambda *end: ends.append(end), lambda: None)
    if may_wait:
        reader.may_wait.set()
    reader.start()
    reader.join(10)
    [(error, n_pending_bytes)] = ends
    return error, n_pending_bytes


@pytest.mark.parametrize("may_wait", [True, False])
def test_the_end_is_told_with_what_is_left_of_a_frame(pipe, may_wait):
    seen = []
    stream = encode_frame(b"a") + b"\1\0"
    end = read(pipe, stream, lambda payload, at: seen.append(payload), may_wait=may_wait)
    assert end == (None, 2)
    assert seen == [b"a"]


def test_a_file_is_read_while_no_read_may_wait(tmp_path):
    path = tmp_path / "frames"
    path.write_bytes(encode_frame(b"a"))
    seen = []
    with path.open("rb") as file:
        streams = Streams(file.fileno(), -1)
        end = read_to_end(streams, lambda payload, at: seen.append(payload), may_wait=False)
    assert (end, seen) == ((None, 0), [b"a"])


def test_a_read_that_may_not_wait_is_not_begun(pipe, monkeypatch):
    read_fd, write_fd = pipe
    # Whole frames and halves, each sent after the pipe was found empty three times.
    parts = [b"", encode_frame(b"a")[:3], encode_frame(b"a")[3:], encode_frame(b"b")]
    n_asked, seen = 0, []

    class Asked(Streams):
        def has_input(self):
            nonlocal n_asked
            n_asked += 1
            if n_asked % 3 == 0:
                if parts:
                    os.write(write_fd, parts.pop(0))
                else:
                    os.close(write_fd)
            return super().has_input()

    def read_what_is_there(fd, n_bytes, original=os.read):
        if fd == read_fd:
            assert Streams(read_fd, -1).has_input(), "this read would wait"
        return original(fd, n_bytes)

    monkeypatch.setattr(os, "read", read_what_is_there)
    end = read_to_end(Asked(read_fd, -1), lambda payload, at: seen.append(payload), may_wait=False)
    assert (end, seen) == ((None, 0), [b"a", b"b"])


def test_a_bad_length_ends_the_reading(pipe):
    error, _ = read(pipe, b"\xff" * 8, lambda *_: None)
    assert isinstance(error, FramingError)


def test_a_fault_in_dispatch_is_told_and_does_not_leave_a_deaf_process(pipe):
    error, _ = read(pipe, encode_frame(b"a"), lambda *_: 1 / 0)
    assert isinstance(error, ZeroDivisionError)
