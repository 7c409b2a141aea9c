"""What libraries write to standard output and error by themselves, as lines of the log.

Both lead into a pipe of this process, which a thread reads. The pipe drops what it has no room for,
so no write ever waits, not even that of a library that holds the GIL, without which the thread
cannot read.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
import re
import select
import socket
import struct
import sys
import threading
from typing import Any

if sys.platform == "win32":
    from sidecar.wire import windows_api

_log = logging.getLogger("native")

_STDOUT_FD, _STDERR_FD = 1, 2
_READ_BYTES = 2**16
_MAX_LINE_BYTES = 1000
# So many lines are logged in each window of time; more are counted.
_MAX_LINES = 100
_WINDOW_S = 10.0
_LINE_ENDS = re.compile(rb"[\r\n]+")
_UNPRINTABLE = re.compile(r"[^\t -~\u00a0-\U0010ffff]")
# How long a crashing thread waits for each piece of its report to be read, and what need not be.
_CRASH_PATIENCE_US = 10_000
_CRASH_BUFFER_BYTES = 2048


class NativeOutput:
    """Standard output and error, caught from now until ``release``.

    What Python itself prints comes there, too, and what processes write that this one starts.
    """

    def __init__(self) -> None:
        read_fd, write_fd = _lossy_pipe()
        self._lines = LineLog(logging.WARNING)
        # In this order: what a library says before it aborts is read before the report of that.
        sources = {read_fd: self._lines}
        if sys.platform != "win32":
            sources[_report_crashes()] = LineLog(logging.CRITICAL)
        self._reader = threading.Thread(
            target=_read_to_end, args=(sources,), name="native output", daemon=True
        )
        _point_output_at(write_fd)
        output = io.BufferedWriter(_Output(_STDERR_FD, "w", closefd=False))
        sys.stdout = sys.stderr = io.TextIOWrapper(
            output, "utf-8", "backslashreplace", line_buffering=True
        )
        self._reader.start()

    def release(self, timeout_s: float) -> None:
        """Log what was written, for at most ``timeout_s``; what is written later is dropped."""
        _point_output_at(os.open(os.devnull, os.O_WRONLY))
        self._reader.join(timeout_s)
        self._lines.tell_of_more()


class LineLog:
    """Logs, with ``level``, what it is fed, line by line.

    Long lines are cut; of a flood of lines the first are logged, and the others counted.
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._rest = b""  # of a line that has not ended
        self._lock = threading.Lock()
        self._n_lines = 0  # in this window of time

    def feed(self, data: bytes) -> None:
        """Take ``data`` as the next bytes; none at all are the end."""
        *lines, self._rest = _LINE_ENDS.split(self._rest + data)
        for line in lines if data else [self._rest]:
            self._take(line)
        self._rest = self._rest[: _MAX_LINE_BYTES + 1]

    def tell_of_more(self) -> None:
        """Begin a new window of time, and tell how many lines of the last one were not logged."""
        with self._lock:
            n_more, self._n_lines = self._n_lines - _MAX_LINES, 0
        if n_more > 0:
            _log.log(self._level, "%d more lines were left out", n_more)

    def _take(self, line: bytes) -> None:
        if not line or line.isspace():
            return
        with self._lock:
            self._n_lines += 1
            n_lines = self._n_lines
        if n_lines == 1:
            window = threading.Timer(_WINDOW_S, self.tell_of_more)
            window.daemon = True
            window.start()
        if n_lines <= _MAX_LINES:
            _log.log(self._level, "%s", _readable(line))


def _read_to_end(sources: dict[int, LineLog]) -> None:
    """Feed each with what its fd gives, the first one first; until that one ends."""
    first_fd = next(iter(sources))
    poll = None
    if sys.platform != "win32":
        poll = select.poll()
        for fd in sources:
            poll.register(fd, select.POLLIN)
    while True:
        ready = sources if poll is None else dict(poll.poll())
        for fd, lines in sources.items():
            if fd in ready:
                data = os.read(fd, _READ_BYTES)
                lines.feed(data)
                if not data and fd == first_fd:
                    return


def _readable(line: bytes) -> str:
    text = line[:_MAX_LINE_BYTES].decode(errors="backslashreplace")
    text = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return text if len(line) <= _MAX_LINE_BYTES else f"{text} ..."


class _Output(io.FileIO):
    """A file to which every write succeeds: what there is no room for is dropped."""

    def write(self, data: Any) -> int:  # noqa: ANN401 - of any type that has bytes
        with contextlib.suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


def _lossy_pipe() -> tuple[int, int]:
    """The ends of a new pipe: to read, where a read waits, and to write, where no write does."""
    if sys.platform == "win32":
        return windows_api.make_lossy_pipe()
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    return read_fd, write_fd


def _point_output_at(fd: int) -> None:
    """Make fds 1 and 2 those of ``fd``, which is closed."""
    for standard_fd in (_STDOUT_FD, _STDERR_FD):
        os.dup2(fd, standard_fd)
    os.close(fd)
    if sys.platform == "win32":
        windows_api.point_standard_handles()


def _report_crashes() -> int:
    """Where the stack of a thread can be read that crashes, while it does.

    It goes through a socket that holds next to nothing, so the crashing thread waits until another
    one has read it. Where none can, since the GIL died with it, it waits for a moment only.
    """
    read_end, write_end = socket.socketpair()
    write_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CRASH_BUFFER_BYTES)
    patience = struct.pack("ll", 0, _CRASH_PATIENCE_US)
    write_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
    faulthandler.enable(write_end.detach(), all_threads=False)
    return read_end.detach()
