"""Claims standard input and output for the wire, before anything else can use them."""

from __future__ import annotations

import os
import select
import sys
from dataclasses import dataclass

if sys.platform == "win32":
    from sidecar.wire import windows_api

_STDIN_FD, _STDOUT_FD, _STDERR_FD = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Streams:
    """Private, non-inheritable duplicates of what were fds 0 and 1."""

    input_fd: int
    output_fd: int

    def input_hung_up(self) -> bool:
        """Whether the host closed its end, found without reading, so also while nothing is read."""
        if sys.platform == "win32":
            try:
                windows_api.bytes_in_pipe(self.input_fd)
            except BrokenPipeError:
                return True
            except OSError:
                pass  # no pipe
            return False
        poll = select.poll()
        poll.register(self.input_fd, getattr(select, "POLLRDHUP", 0))
        return bool(poll.poll(0))

    def has_input(self) -> bool:
        """Whether a read returns at once, with bytes or with the input's end."""
        if sys.platform == "win32":
            try:
                return windows_api.bytes_in_pipe(self.input_fd) > 0
            except OSError:
                return True  # a pipe without its other end, or a file
        poll = select.poll()
        poll.register(self.input_fd, select.POLLIN)
        return bool(poll.poll(0))


def claim_streams() -> Streams:
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
    streams = Streams(os.dup(_STDIN_FD), os.dup(_STDOUT_FD))
    os.dup2(null_fd, _STDIN_FD)
    os.dup2(_STDERR_FD, _STDOUT_FD)
    if null_fd == _STDERR_FD:
        os.set_inheritable(null_fd, True)
    else:
        os.close(null_fd)
    if sys.platform == "win32":
        windows_api.make_binary(streams.input_fd)
        windows_api.make_binary(streams.output_fd)
        windows_api.point_standard_handles()
    else:
        # A host may have left its own non-blocking mode on the ends that it gave us.
        os.set_blocking(streams.input_fd, True)
        os.set_blocking(streams.output_fd, True)
    return streams
