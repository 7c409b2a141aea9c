"""The writer, with both ends of its output in this process."""

from __future__ import annotations

import os
import socket
import sys
import threading

import pytest

from protocol.framing import FrameDecoder
from sidecar.wire.streams import Streams
from sidecar.wire.writer import FrameWriter

PATIENCE_S = 30
SMALL, LARGE = b"small", b"large" * 20_000

NO_ROOM_TOLD = pytest.mark.skipif(sys.platform == "win32", reason="its pipes tell no room")


class Ends:
    """A writer, and what a host reads."""

    def __init__(self, read_fd, write_fd):
        self.read_fd, self.write_fd = read_fd, write_fd
        self.told_by = []
        self.writer = FrameWriter(Streams(-1, write_fd), self._output_lost)
        self._decoder, self._payloads = FrameDecoder(), []

    def _output_lost(self, _):
        self.told_by.append(threading.current_thread())

    def read(self):
        while not self._payloads:
            data = os.read(self.read_fd, 65_536)
            assert data
            self._payloads += self._decoder.feed(data)
        return self._payloads.pop(0)

    def close(self):
        if self.writer.ident is not None:
            assert self.writer.close(PATIENCE_S)
        os.close(self.write_fd)


def sockets():
    return [end.detach() for end in socket.socketpair()]


def file(tmp_path):
    return [os.open(tmp_path / "output", flags) for flags in (os.O_CREAT, os.O_WRONLY)]


@pytest.fixture(params=[os.pipe, pytest.param(sockets, marks=NO_ROOM_TOLD)])
def ends(request):
    ends = Ends(*request.param())
    yield ends
    ends.close()
    os.close(ends.read_fd)


@NO_ROOM_TOLD
def test_what_there_is_room_for_waits_for_no_thread(ends):
    ends.writer.send(SMALL)
    assert ends.read() == SMALL
    assert not ends.writer.is_alive()


def test_frames_come_in_their_order_however_large(ends):
    sent = [SMALL, LARGE, b"1", b"2", LARGE, b"3"]
    ends.writer.start()
    for payload in sent:
        ends.writer.send(payload)
    assert [ends.read() for _ in sent] == sent


def test_nobody_waits_for_a_host_that_does_not_read(ends):
    sent = [number.to_bytes(4, "little") * 250 for number in range(1000)]
    ends.writer.start()
    for payload in sent:
        ends.writer.send(payload)
    assert [ends.read() for _ in sent] == sent


def test_where_room_cannot_be_known_the_thread_writes(tmp_path):
    ends = Ends(*file(tmp_path))
    ends.writer.send(SMALL)
    assert (tmp_path / "output").stat().st_size == 0
    ends.writer.start()
    ends.close()
    assert ends.read() == SMALL
    os.close(ends.read_fd)


@NO_ROOM_TOLD
@pytest.mark.parametrize("make", [os.pipe, sockets])
def test_a_lost_output_is_told_by_the_thread(make):
    ends = Ends(*make())
    os.close(ends.read_fd)
    ends.writer.start()
    ends.writer.send(SMALL)
    ends.writer.join(PATIENCE_S)
    assert ends.told_by == [ends.writer]
    ends.close()
