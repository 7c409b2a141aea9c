"""The requests that have no answer yet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from protocol.messages import Failure, Result
from protocol.params import RequestId
from protocol.python.errors import ChildGone, RemoteError

_LOGGER = logging.getLogger(__name__)

# Told how many are done, of how many (None: not known).
OnProgress: TypeAlias = Callable[[int, "int | None"], None]


@dataclass(frozen=True, slots=True)
class _Request:
    on_progress: OnProgress | None
    future: Future[dict[str, Any]] = field(default_factory=Future)


class Unanswered:
    """Settles each request's future once; its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[RequestId, _Request] = {}
        self.gone: str | None = None  # why, once nothing is answered any more

    def add(self, request_id: RequestId, on_progress: OnProgress | None) -> Future[dict[str, Any]]:
        """The future of a new request; it has failed already if the child is gone."""
        request = _Request(on_progress)
        request.future.set_running_or_notify_cancel()  # only the child can cancel it
        with self._lock:
            if self.gone is None:
                self._requests[request_id] = request
                return request.future
        request.future.set_exception(ChildGone("the child is gone", self.gone))
        return request.future

    def answer(self, answer: Result | Failure) -> None:
        """The child's answer, to whomever it belongs."""
        with self._lock:
            request = None if answer.id is None else self._requests.pop(answer.id, None)
        if request is None:
            return
        if isinstance(answer, Result):
            request.future.set_result(answer.result)
        else:
            request.future.set_exception(RemoteError(answer))

    def progress(self, params: Mapping[str, Any]) -> None:
        """How far a request is; what ``on_progress`` raises is logged."""
        with self._lock:
            request = self._requests.get(params["id"])
        if request is None or request.on_progress is None:
            return
        try:
            request.on_progress(params["done"], params.get("total"))
        except Exception:
            # Whoever waits for an answer must still get it.
            _LOGGER.exception("on_progress failed")

    def child_is_gone(self, reason: str) -> None:
        """Nothing is answered any more."""
        with self._lock:
            self.gone = reason
            requests, self._requests = list(self._requests.values()), {}
        for request in requests:
            request.future.set_exception(ChildGone("the child is gone", reason))
