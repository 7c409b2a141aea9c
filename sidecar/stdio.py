"""The wire's two ends: claims standard input and output, reads frames and writes frames.

The reader owns the input, the writer owns the output; nothing else touches either.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from protocol.framing import FrameDecoder, encode_frame

if sys.platform == "win32":
    from sidecar import windows
else:
    import fcntl

_READ_BYTES = 256 * 1024
# Linux's pipe holds 64 KiB: a second of audio would come in two parts, with a change of process
# between. So much holds sixteen seconds, and is what Linux gives to anybody.
_PIPE_BYTES = 2**20
_STDIN_FD, _STDOUT_FD, _STDERR_FD = 0, 1, 2

# The writer's backlog above which the reader stops: each is far more than a reading host leaves.
_MAX_BACKLOG_BYTES = 4 * 2**20
_MAX_BACKLOG_FRAMES = 1024


@dataclass(frozen=True, slots=True)
class Wire:
    """Private, non-inheritable duplicates of what were fds 0 and 1."""

    input_fd: int
    output_fd: int

    def input_hung_up(self) -> bool:
        """Whether the host closed its end, found without reading, so also while nothing is read."""
        if sys.platform == "win32":
            return windows.pipe_is_broken(self.input_fd)
        poll = select.poll()
        poll.register(self.input_fd, getattr(select, "POLLRDHUP", 0))
        return bool(poll.poll(0))


def claim_stdio() -> Wire:
    """Take standard input and output for the wire, before anything else can use them.

    Afterwards fd 0 is the null device and fd 1 is standard error, so that no ``print``, no C
    library and no grandchild can reach the wire.

    Raises:
        OSError: fd 0 or fd 1 is closed.
    """
    # A new descriptor takes the lowest free number, so a closed one must be found before any dup.
    for fd in (_STDIN_FD, _STDOUT_FD):
        os.fstat(fd)
    null_fd = os.open(os.devnull, os.O_RDWR)  # becomes standard error, if that is closed
    try:
        os.fstat(_STDERR_FD)
    except OSError:
        os.dup2(null_fd, _STDERR_FD)
    wire = Wire(os.dup(_STDIN_FD), os.dup(_STDOUT_FD))
    os.dup2(null_fd, _STDIN_FD)
    os.dup2(_STDERR_FD, _STDOUT_FD)
    if null_fd == _STDERR_FD:
        os.set_inheritable(null_fd, True)
    else:
        os.close(null_fd)
    if sys.platform == "win32":
        windows.make_binary(wire.input_fd)
        windows.make_binary(wire.output_fd)
        windows.point_standard_handles_at(_STDIN_FD, _STDOUT_FD)
    else:
        # A host may have left its own non-blocking mode on the ends that it gave us.
        os.set_blocking(wire.input_fd, True)
        os.set_blocking(wire.output_fd, True)
        _widen(wire.input_fd)
    return wire


def _widen(fd: int) -> None:
    if sys.platform == "linux":
        # It may be no pipe, or the user's share of pages may be used up.
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class FrameReader(threading.Thread):
    """Reads frames until the input ends, and hands each payload on with the time of its last byte.

    Args:
        wire: where to read.
        max_frame_bytes: the longest payload.
        on_payload: called with each payload and the ``time.monotonic()`` at which it was whole.
        on_end: called once, with what ended the reading (a ``FramingError``, or a fault of
            ``on_payload``), or None at the input's end, and the bytes left of a cut frame.
        before_read: called before each read and each payload; blocks for as long as reading must
            wait.
    """

    def __init__(
        self,
        wire: Wire,
        max_frame_bytes: int,
        on_payload: Callable[[bytes, float], None],
        on_end: Callable[[Exception | None, int], None],
        before_read: Callable[[], None],
    ) -> None:
        super().__init__(name="reader", daemon=True)
        self._wire = wire
        self._decoder = FrameDecoder(max_frame_bytes)
        self._on_payload = on_payload
        self._on_end = on_end
        self._before_read = before_read

    def run(self) -> None:
        """Read until the end; never raises."""
        fault: Exception | None = None
        try:
            self._read_to_end()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more will be read
            fault = error
        self._on_end(fault, self._decoder.pending_bytes)

    def _read_to_end(self) -> None:
        self._before_read()
        # What was read is no local of this frame, which would hold it until the next read returns.
        while self._read_some():
            pass

    def _read_some(self) -> bool:
        data = self._read()
        received_at = time.monotonic()
        for payload in self._decoder.feed(data):
            self._on_payload(payload, received_at)
            self._before_read()
        return bool(data)

    def _read(self) -> bytes:
        try:
            return os.read(self._wire.input_fd, _READ_BYTES)
        except OSError:
            # A host that dies can make the read fail instead of ending it: EINVAL, ECONNRESET ...
            return b""


class FrameWriter(threading.Thread):
    """Writes payloads as frames, in the order in which they were sent.

    ``send`` never blocks, so no stage can be stopped by a host that does not read. The reader waits
    in ``wait_for_room`` instead: without new requests there are no new responses.
    """

    def __init__(self, wire: Wire, on_lost: Callable[[Exception], None]) -> None:
        super().__init__(name="writer", daemon=True)
        self._wire = wire
        self._on_lost = on_lost
        self._changed = threading.Condition()
        self._frames: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._closed = False

    def send(self, payload: bytes) -> None:
        """Queue ``payload``; once closed, drop it."""
        frame = encode_frame(payload, max_frame_bytes=2**32 - 1)
        with self._changed:
            if self._closed:
                return
            self._frames.append(frame)
            self._backlog_bytes += len(frame)
            self._changed.notify_all()

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
            rest = rest[os.write(self._wire.output_fd, rest) :]
        with self._changed:
            self._frames.popleft()
            self._backlog_bytes -= len(frame)
            self._changed.notify_all()
