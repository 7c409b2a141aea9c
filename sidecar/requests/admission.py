"""Whether a request is taken in: pure."""

from __future__ import annotations

from typing import NamedTuple

from protocol.errors import InvalidParams, Overloaded
from protocol.hello import Limits


class InFlight(NamedTuple):
    """What is in flight, or would be."""

    audios: int
    n_bytes: int


def check_count(what: str, n: int, at_most: int, limit: str) -> None:
    """Raise ``InvalidParams`` where a request has too many of ``what`` for any moment."""
    if n > at_most:
        raise InvalidParams(
            f"{n} {what} are too many for one request: the limit is {at_most}; send several "
            "requests",
            kind="batch_too_large",
            **{limit: at_most},
        )


def check_load(now: InFlight, then: InFlight, limits: Limits, retry_after_ms: int) -> None:
    """Raise ``Overloaded`` where it would be too much ``then``, with the request."""
    if then.audios > limits.max_in_flight or then.n_bytes > limits.max_queued_bytes:
        raise Overloaded(
            f"{now.audios} audios of {now.n_bytes} bytes are in flight; with this request it would "
            f"be {then.audios} of {then.n_bytes} bytes, over the limit of {limits.max_in_flight} "
            f"of {limits.max_queued_bytes}; wait for an answer first",
            retry_after_ms=retry_after_ms,
            in_flight=now.audios,
            max_in_flight=limits.max_in_flight,
            queued_bytes=now.n_bytes,
            max_queued_bytes=limits.max_queued_bytes,
        )
