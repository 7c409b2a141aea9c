"""A child that is asked and answers, and is ended; what it can be asked is not known here."""

from __future__ import annotations

import contextlib
import itertools
import logging
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from protocol.errors import ParseError
from protocol.framing import MAX_FRAME_BYTES, encode_frame
from protocol.hello import PROTOCOL
from protocol.messages import (
    Notice,
    decode_from_child,
    encode_cancel,
    encode_request,
)
from protocol.methods import Params
from protocol.params import RequestId, ShutdownParams
from protocol.python.child import Child
from protocol.python.errors import ChildGone, RemoteError, exit_reason
from protocol.python.unanswered import OnProgress, Unanswered

_SERVING = ("ready", "degraded")
_EXIT_S = 1.0  # from the end of the output to that of the process

_LOGGER = logging.getLogger(__name__)


class Connection:
    """One child; see ``SpeakerSidecar``, which adds the methods that it can be asked for."""

    def __init__(
        self, process: subprocess.Popen[bytes], on_notice: Callable[[Notice], None]
    ) -> None:
        self.process = process
        self.hello: dict[str, Any] | None = None
        self.health: dict[str, Any] = {}
        self._on_notice = on_notice
        self._streams: dict[str, Callable[[Notice], None]] = {}
        self._ids = itertools.count(1)
        self._unanswered = Unanswered()
        self._max_frame_bytes = MAX_FRAME_BYTES
        self._child = Child(process, self._take, self._settle_all)

    def send(
        self, params: Params, on_progress: OnProgress | None = None
    ) -> tuple[RequestId, Future[dict[str, Any]]]:
        """Send a request; its id, and the future of its result, ``RemoteError`` or ``ChildGone``.

        ``on_progress`` is called where ``params.progress`` is True, on the thread that reads all
        answers, as ``on_notice`` is.

        Raises:
            ValueError: its audio takes more bytes than the child accepts; nothing was sent.
        """
        request_id = next(self._ids)
        payload = encode_request(request_id, params)
        if len(payload) > self._max_frame_bytes:
            raise ValueError(
                f"this audio takes {len(payload)} bytes with its request, and the sidecar accepts "
                f"at most {self._max_frame_bytes}: pass a path"
            )
        future = self._unanswered.add(request_id, on_progress)
        if not future.done():
            self._child.write(encode_frame(payload, self._max_frame_bytes))
        return request_id, future

    def call(
        self,
        params: Params,
        timeout_s: float | None = 60.0,
        on_progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        """Send a request and wait for its result; ``on_progress`` as for ``send``.

        Raises:
            RemoteError: the child refused it.
            ChildGone: the child ended first.
            TimeoutError: neither came in time.
            ValueError: its audio takes more bytes than the child accepts; nothing was sent.
        """
        try:
            return self.send(params, on_progress)[1].result(timeout_s)
        except FutureTimeoutError as error:
            # In Python 3.10 it is not the builtin yet.
            raise TimeoutError(f"no answer to {params.method} within {timeout_s} s") from error

    def cancel(self, request_id: RequestId) -> None:
        """Tell the child that an answer is no longer wanted; it is still answered."""
        self._child.write(encode_frame(encode_cancel(request_id)))

    def listen(self, stream: str, listener: Callable[[Notice], None] | None) -> None:
        """Call ``listener``, too, with what is told of ``stream``; None: no more."""
        if listener is None:
            self._streams.pop(stream, None)
        else:
            self._streams[stream] = listener

    def wait_until_ready(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the child serves; its health report.

        Raises:
            ChildGone: it failed to start; the message has its reason.
            TimeoutError: it still loads.
        """
        has_settled = self._child.wait_until(
            lambda: self._state in {*_SERVING, "failed"}, timeout_s
        )
        if self._state in _SERVING:
            return self.health
        reason = self.health.get("reason", "no hello")
        if has_settled or self._unanswered.gone is not None:
            raise ChildGone("the sidecar did not start", self._unanswered.gone or reason)
        raise TimeoutError(f"the sidecar still loads: {reason}")

    def close(self, timeout_s: float = 10.0) -> int:
        """Shut the child down, or kill it if it does not end in time; its exit code."""
        with contextlib.suppress(ChildGone, RemoteError, TimeoutError):
            self.call(ShutdownParams(), timeout_s)
        self._child.close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self._child.kill()

    @property
    def _state(self) -> object:
        return self.health.get("state")

    def _take(self, payload: bytes) -> None:
        message = decode_from_child(payload)
        if isinstance(message, Notice):
            self._take_notice(message)
            return
        self._unanswered.answer(message)

    def _take_notice(self, notice: Notice) -> None:
        if notice.method == "hello":
            self.hello = notice.params
            if notice.params.get("protocol") != PROTOCOL:
                raise ParseError(f"protocol {notice.params.get('protocol')}, not {PROTOCOL}")
            match notice.params:
                case {"limits": {"max_frame_bytes": int(max_frame_bytes)}}:
                    self._max_frame_bytes = max_frame_bytes
        elif notice.method == "health":
            self.health = notice.params
        elif notice.method == "progress" and "id" in notice.params:
            self._unanswered.progress(notice.params)
        listeners = [self._on_notice]
        match notice.params:
            case {"stream": str(stream)} if stream in self._streams:
                listeners.append(self._streams[stream])
        for listener in listeners:
            _tell(listener, notice)

    def _settle_all(self, fault: str | None) -> None:
        self._unanswered.child_is_gone(fault or self._reason_of_end())

    def _reason_of_end(self) -> str:
        if self._state == "failed":
            return str(self.health.get("reason"))
        exit_code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            exit_code = self.process.wait(_EXIT_S)
        return exit_reason(exit_code)


def _tell(listener: Callable[[Notice], None], notice: Notice) -> None:
    try:
        listener(notice)
    except Exception:
        # Whoever waits for an answer must still get it.
        _LOGGER.exception("a listener failed at %s", notice.method)
