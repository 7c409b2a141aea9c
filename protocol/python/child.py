"""A process and the two pipes to it: any bytes in, every payload out, in the order they came."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from protocol.errors import SidecarError
from protocol.framing import FrameDecoder

if sys.platform == "linux":  # pragma: no cover - what is covered depends on the system
    import fcntl
if sys.platform == "win32":  # pragma: no cover
    import ctypes

    from protocol.windows_job import Job

_LOGGER = logging.getLogger(__name__)

# Linux's pipe holds 64 KiB: a second of audio would come in two parts, with a change of process
# between. So much holds sixteen seconds, and is what Linux gives to anybody. The host does it, not
# the child: whoever makes the pipe knows that it is one, and Node makes a socket.
_PIPE_BYTES = 2**20
_READ_BYTES = 2**16
# On Linux a child whose parent's pid this is lets the system kill it with the thread that started
# it, even where it is stopped. Another thread than the main one may end before its process does.
_PARENT_VARIABLE = "SPEAKER_SIDECAR_PARENT"
_END_S = 10.0
# Answers may still be in the pipe when the process is gone, but a grandchild may hold it open.
_READ_AFTER_EXIT_S = 1.0


def spawn(argv: Sequence[str], **popen: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    """Start ``argv`` between pipes; ``popen`` has further arguments of ``subprocess.Popen``.

    On Windows it gets no console window, unless ``popen`` has ``creationflags`` of its own. On
    Linux it dies with this process, if this is the main thread.

    Raises:
        OSError: it cannot be started.
    """
    pipe = subprocess.PIPE
    # With a console of our own the child shares it, so that Ctrl-C reaches both.
    if sys.platform == "win32" and not ctypes.windll.kernel32.GetConsoleWindow():
        popen.setdefault("creationflags", subprocess.CREATE_NO_WINDOW)
    if sys.platform == "linux" and threading.current_thread() is threading.main_thread():
        popen["env"] = {**(popen.get("env") or os.environ), _PARENT_VARIABLE: str(os.getpid())}
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
    Where the process has exited and its output falls silent, that is an end as well: a grandchild
    may hold it open. A child whose output is not of this protocol is killed, as the protocol asks.
    On Windows it ends when this process does, even if it hangs, and what it started ends with it.

    Args:
        process: just started; its pipes are not buffered.
        take: called with each payload on the reader's thread; a ``SidecarError`` that it raises is
            a fault of the child's. It ends the reading, as any exception does.
        on_end: called once, on a thread, when no more payloads come, with the ``fault``.
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
        self._is_ending = False
        self._waits_since: float | None = None  # for data
        self._changed = threading.Condition()
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer, self._reader, self._exit_watch = (
            threading.Thread(target=target, name=f"sidecar-{target.__name__}", daemon=True)
            for target in (self._write_all, self._read_all, self._watch_exit)
        )
        if sys.platform == "win32":  # pragma: no cover
            self._job = Job()
            # It may have ended.
            with contextlib.suppress(OSError):
                self._job.add(process.pid)
        for thread in (self._writer, self._reader, self._exit_watch):
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
        if sys.platform == "win32":  # pragma: no cover
            self._job.close()
        self.close_input()
        # The watch waits for the reader, for as long as it makes sense.
        for thread in (self._writer, self._exit_watch):
            thread.join(_END_S)
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
        fault = None
        try:
            while (data := self._read()) and not self._is_ending:
                for payload in decoder.feed(data):
                    self._take(payload)
                    self.notify()
            if decoder.pending_bytes:
                fault = f"the child's output ends {decoder.pending_bytes} bytes into a frame"
        except SidecarError as error:
            fault = f"the child's output is not of this protocol: {error}"
            self.process.kill()
        except BaseException as error:
            fault = f"this process failed to take in the child's output: {error!r}"
            _LOGGER.exception("the sidecar is killed, because its output cannot be taken in")
            self.process.kill()
        finally:
            self._end(fault)
        assert self.process.stdout is not None
        # Only here: a pipe must not be closed while another thread reads it.
        self.process.stdout.close()

    def _read(self) -> bytes:
        assert self.process.stdout is not None
        self._waits_since = time.perf_counter()
        # A socket's other end may be reset, and our own end closed.
        with contextlib.suppress(OSError, ValueError):
            data = self.process.stdout.read(_READ_BYTES)
            self._waits_since = None
            return data
        return b""

    def _watch_exit(self) -> None:
        self.process.wait()
        while self._reader.is_alive():
            self._reader.join(_READ_AFTER_EXIT_S)
            since = self._waits_since
            if since is not None and time.perf_counter() - since >= _READ_AFTER_EXIT_S:
                self._end(None)
                return

    def _end(self, fault: str | None) -> None:
        with self._changed:
            if self._is_ending:
                return
            self._is_ending = True
        self.fault = fault
        try:
            self._on_end(fault)
        finally:
            self.has_ended = True
            self.notify()
