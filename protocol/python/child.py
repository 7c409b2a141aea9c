"""A process and the two pipes to it: any bytes in, every payload out, in the order they came."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from protocol.errors import SidecarError
from protocol.framing import FrameDecoder

if sys.platform == "linux":  # pragma: no cover - what is covered depends on the system
    import fcntl

# Linux's pipe holds 64 KiB: a second of audio would come in two parts, with a change of process
# between. So much holds sixteen seconds, and is what Linux gives to anybody. The host does it, not
# the child: whoever makes the pipe knows that it is one, and Node makes a socket.
_PIPE_BYTES = 2**20
_READ_BYTES = 2**16
_END_S = 10.0


def spawn(argv: Sequence[str], **popen: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    """Start ``argv`` between pipes; ``popen`` has further arguments of ``subprocess.Popen``.

    Raises:
        OSError: it cannot be started.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(list(argv), stdin=pipe, stdout=pipe, bufsize=0, **popen)
    assert process.stdin is not None
    if sys.platform == "linux":  # pragma: no cover
        # The user's share of pages may be used up.
        with contextlib.suppress(OSError):
            fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


class Child:
    """A running process, read and written on threads. Leaving the ``with`` block kills it.

    ``has_ended`` says whether its output is at its end, and ``fault`` what was wrong with that.
    A child whose output is not of this protocol is killed, as the protocol asks.

    Args:
        process: just started; its pipes are not buffered.
        take: called with each payload on the reader's thread; a ``SidecarError`` that it raises is
            a fault of the child's.
        on_end: called there once, when no more payloads come, with the ``fault``.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        take: Callable[[bytes], None],
        on_end: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.process = process
        self.fault: str | None = None
        self.has_ended = False
        self._take = take
        self._on_end = on_end
        self._changed = threading.Condition()
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, name=f"sidecar-{target.__name__}", daemon=True)
            for target in (self._write_all, self._read_all)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Child:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def write(self, data: bytes) -> None:
        """Send ``data`` behind what was sent before. It never blocks: a child need not read.

        What a child that is gone was sent is dropped; the end of its output tells.
        """
        self._to_write.put(data)

    def close_input(self) -> None:
        """End the child's input behind what was sent before."""
        self._to_write.put(None)

    def wait_until(self, holds: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait for ``holds()``, asked after each payload, or for the output's end; if it holds."""
        with self._changed:
            self._changed.wait_for(lambda: holds() or self.has_ended, timeout_s)
        return holds()

    def notify(self) -> None:
        """Have ``wait_until`` ask again."""
        with self._changed:
            self._changed.notify_all()

    def kill(self) -> int:
        """Kill what is left, and let go of the pipes; the exit code."""
        self.process.kill()
        exit_code = self.process.wait()
        self.close_input()
        for thread in self._threads:
            thread.join(_END_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return exit_code

    def _write_all(self) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        while (data := self._to_write.get()) is not None:
            rest = memoryview(data)
            with contextlib.suppress(OSError):
                while rest:
                    rest = rest[pipe.write(rest) :]
        with contextlib.suppress(OSError):
            pipe.close()

    def _read_all(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := self._read():
                for payload in decoder.feed(data):
                    self._take(payload)
                    self.notify()
            if decoder.pending_bytes:
                self.fault = f"the child's output ends {decoder.pending_bytes} bytes into a frame"
        except SidecarError as error:
            self.process.kill()
            self.fault = f"the child's output is not of this protocol: {error}"
        self.has_ended = True
        self._on_end(self.fault)
        self.notify()

    def _read(self) -> bytes:
        assert self.process.stdout is not None
        # A socket's other end may be reset, and our own end closed.
        with contextlib.suppress(OSError, ValueError):
            return self.process.stdout.read(_READ_BYTES)
        return b""
