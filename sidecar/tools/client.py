"""A host in Python: starts a sidecar, sends requests, and keeps its answers apart.

The tools and the tests use it. A host in another language needs only ``protocol/PROTOCOL.md``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import IO, Any

from protocol.errors import SidecarError
from protocol.framing import FrameDecoder, encode_frame
from protocol.hello import PROTOCOL
from protocol.messages import (
    Failure,
    Notice,
    Result,
    decode_from_child,
    encode_cancel,
    encode_request,
)
from protocol.params import Params, RequestId, ShutdownParams
from sidecar.bundle import is_bundle

ARGV_VARIABLE = "SIDECAR_ARGV"


class RemoteError(Exception):
    """The child answered with an error; the fields are the wire's."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.message} ({failure.code}, {failure.data.get('kind')})")
        self.failure = failure


class ChildGone(Exception):
    """The child ended, or speaks another protocol, before it answered."""


def sidecar_argv() -> list[str]:
    """The command that starts a sidecar: ``SIDECAR_ARGV`` where it is set, or this program."""
    chosen = os.environ.get(ARGV_VARIABLE)
    return split_words(chosen) if chosen else own_argv()


def own_argv() -> list[str]:
    """The command that starts this program."""
    if is_bundle():
        return [sys.executable]
    return [sys.executable, "-m", "sidecar"]


def split_words(text: str) -> list[str]:
    """The words of a command line, as this system's shell sees them."""
    if os.name == "posix":
        return shlex.split(text)
    # Backslashes are no escapes there, and the quotes would stay.
    return [word.strip('"') for word in shlex.split(text, posix=False)]


class Client:
    """One running sidecar. Leaving the ``with`` block shuts it down.

    Args:
        argv: the command, with its options.
        on_notice: called on the reader's thread with each notification.
        stderr: where the child's log goes, as for ``subprocess.Popen``; None: where ours goes.
        popen: further arguments of ``subprocess.Popen``.
    """

    def __init__(
        self,
        argv: Sequence[str],
        on_notice: Callable[[Notice], None] = lambda _: None,
        stderr: int | IO[Any] | None = None,
        **popen: Any,  # noqa: ANN401 - they are Popen's
    ) -> None:
        self.process = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, **popen
        )
        self._on_notice = on_notice
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        # Apart, since a write may block until the child has been read from.
        self._write_lock = threading.Lock()
        self._futures: dict[RequestId, Future[dict[str, Any]]] = {}
        self._settled = threading.Condition()
        self.hello: dict[str, Any] | None = None
        self.health: dict[str, Any] = {}
        self._is_gone = False
        self._reader = threading.Thread(target=self._read, name="sidecar-client", daemon=True)
        self._reader.start()

    def __enter__(self) -> Client:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, params: Params) -> tuple[RequestId, Future[dict[str, Any]]]:
        """Send a request; its id, and the future of its result, or ``RemoteError``."""
        request_id = next(self._ids)
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            self._futures[request_id] = future
            if self._is_gone:
                del self._futures[request_id]
                future.set_exception(ChildGone("the child is gone"))
                return request_id, future
        self._write(encode_request(request_id, params))
        return request_id, future

    def call(self, params: Params, timeout_s: float | None = 60.0) -> dict[str, Any]:
        """Send a request and wait for its result.

        Raises:
            RemoteError: the child refused it.
            ChildGone: the child ended first.
            TimeoutError: neither came in time.
        """
        try:
            return self.send(params)[1].result(timeout_s)
        except FutureTimeoutError as error:
            # In Python 3.10 it is not the builtin yet.
            raise TimeoutError(f"no answer to {params.method} within {timeout_s} s") from error

    def cancel(self, request_id: RequestId) -> None:
        """Tell the child that an answer is no longer wanted; it is still answered."""
        self._write(encode_cancel(request_id))

    def wait_until_ready(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the child serves; its health report.

        Raises:
            ChildGone: it failed to start; the message has its reason.
            TimeoutError: it still loads.
        """
        with self._settled:
            self._settled.wait_for(
                lambda: self._is_gone or self._state in {"ready", "degraded", "failed"}, timeout_s
            )
        if self._state in {"ready", "degraded"}:
            return self.health
        if self._is_gone or self._state == "failed":
            raise ChildGone(f"the sidecar did not start: {self.health.get('reason', 'no hello')}")
        raise TimeoutError(f"the sidecar still loads: {self.health.get('reason')}")

    def close(self, timeout_s: float = 10.0) -> int:
        """Shut the child down, or kill it if it does not end in time; its exit code."""
        try:
            with contextlib.suppress(ChildGone, RemoteError, TimeoutError):
                self.call(ShutdownParams(), timeout_s)
            self._close_input()
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self._reader.join(timeout_s)
            assert self.process.stdout is not None
            self.process.stdout.close()

    @property
    def _state(self) -> object:
        return self.health.get("state")

    def _write(self, payload: bytes) -> None:
        assert self.process.stdin is not None
        # If it fails the child is gone, and the reader settles what waits.
        with self._write_lock, contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(encode_frame(payload))
            self.process.stdin.flush()

    def _close_input(self) -> None:
        assert self.process.stdin is not None
        with self._write_lock, contextlib.suppress(OSError):
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        decoder = FrameDecoder(max_frame_bytes=2**32 - 1)
        reason = "the child ended"
        try:
            while data := self.process.stdout.read1(2**16):  # type: ignore[attr-defined]
                for payload in decoder.feed(data):
                    self._take(payload)
        except (SidecarError, ChildGone) as error:
            reason = f"the child does not speak this protocol: {error}"
        with self._lock:
            self._is_gone = True
            waiting, self._futures = list(self._futures.values()), {}
        for future in waiting:
            future.set_exception(ChildGone(reason))
        with self._settled:
            self._settled.notify_all()

    def _take(self, payload: bytes) -> None:
        message = decode_from_child(payload)
        if isinstance(message, Notice):
            self._take_notice(message)
            return
        future = None if message.id is None else self._pop(message.id)
        if future is None:
            return
        if isinstance(message, Result):
            future.set_result(message.result)
        else:
            future.set_exception(RemoteError(message))

    def _take_notice(self, notice: Notice) -> None:
        if notice.method == "hello":
            self.hello = notice.params
            if notice.params.get("protocol") != PROTOCOL:
                raise ChildGone(f"protocol {notice.params.get('protocol')}, not {PROTOCOL}")
        elif notice.method == "health":
            with self._settled:
                self.health = notice.params
                self._settled.notify_all()
        self._on_notice(notice)

    def _pop(self, request_id: RequestId) -> Future[dict[str, Any]] | None:
        with self._lock:
            return self._futures.pop(request_id, None)
