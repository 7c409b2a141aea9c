"""Writes frames to the output, which nothing else writes to."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable

from protocol.framing import encode_frame
from sidecar.wire.streams import Streams

# The backlog above which the reader stops: each is far more than a reading host leaves.
_MAX_BACKLOG_BYTES = 4 * 2**20
_MAX_BACKLOG_FRAMES = 1024


class FrameWriter(threading.Thread):
    """Writes payloads as frames, in the order in which they were sent.

    What the output has room for, ``send`` writes itself, so that no host waits until this thread
    wakes. ``send`` never blocks, so no stage can be stopped by a host that does not read. The
    reader waits in ``wait_for_room`` instead: without new requests there are no new responses.
    """

    def __init__(self, streams: Streams, on_lost: Callable[[Exception], None]) -> None:
        super().__init__(name="writer", daemon=True)
        self._streams = streams
        self._on_lost = on_lost
        self._takes_at_once = _room_of(streams.output_fd)
        self._changed = threading.Condition()
        self._frames: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._closed = False

    def send(self, payload: bytes) -> None:
        """Write ``payload``, or queue it; once closed, drop it."""
        frame = encode_frame(payload, max_frame_bytes=2**32 - 1)
        with self._changed:
            if self._closed:
                return
            if not self._frames:
                frame = frame[self._write_at_once(frame) :]
            if frame:
                self._frames.append(frame)
                self._backlog_bytes += len(frame)
                self._changed.notify_all()

    def _write_at_once(self, frame: bytes) -> int:
        if not self._takes_at_once(len(frame)):
            return 0
        try:
            return os.write(self._streams.output_fd, frame)
        except OSError:
            return 0  # this thread will meet it, too, and tell

    def wait_for_room(self, timeout_s: float) -> bool:
        """Block while the host leaves too much unread; False if it still does after that long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not self._is_full(), timeout_s)

    def _is_full(self) -> bool:
        return self._backlog_bytes > _MAX_BACKLOG_BYTES or len(self._frames) > _MAX_BACKLOG_FRAMES

    def close(self, flush_s: float) -> bool:
        """Take nothing more, write what is queued; False if it took more than ``flush_s``."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.join(flush_s)
        return not self.is_alive()

    def run(self) -> None:
        """Write until closed and empty, or until the output is lost."""
        try:
            while (frame := self._next_frame()) is not None:
                self._write(frame)
        except Exception as error:  # noqa: BLE001 - EPIPE, EINVAL on Windows: nothing can be written
            with self._changed:
                self._closed = True
                self._frames.clear()
                self._changed.notify_all()
            self._on_lost(error)

    def _next_frame(self) -> bytes | None:
        with self._changed:
            while not self._frames and not self._closed:
                self._changed.wait()
            return self._frames[0] if self._frames else None

    def _write(self, frame: bytes) -> None:
        rest = memoryview(frame)
        while rest:
            rest = rest[os.write(self._streams.output_fd, rest) :]
        with self._changed:
            self._frames.popleft()
            self._backlog_bytes -= len(frame)
            self._changed.notify_all()


def _room_of(fd: int) -> Callable[[int], bool]:
    """Whether ``fd`` takes so many bytes without waiting, as far as that can be known.

    On Windows a pipe does not tell, and nowhere does what is neither a pipe nor a socket.
    """
    if sys.platform == "win32":
        return lambda _: False
    mode = os.fstat(fd).st_mode
    if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
        return lambda _: False
    room = select.poll()
    room.register(fd, select.POLLOUT)
    return lambda n_bytes: n_bytes <= select.PIPE_BUF and bool(room.poll(0))
