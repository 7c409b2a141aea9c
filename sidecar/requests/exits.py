"""Why and how the process ends."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from protocol.errors import Cancelled, SidecarError
from protocol.params import RequestId
from protocol.reports import HealthError
from sidecar.config import EXIT_OK

_DEFAULT_DRAIN_S = 5.0
# After its input's end the child is gone within 2 s. These are the parts of them.
_FINISH_S = 0.8
STOP_S = 0.3
_FLUSH_S = 0.4
# A host that asked for the shutdown still reads.
_SHUTDOWN_FLUSH_S = 5.0
# A request may have better luck with another device; a child that is started as this one will not.
_AS_BEFORE = frozenset({"device_unavailable"})


@dataclass(frozen=True, slots=True)
class Exit:
    """Why and how the process ends.

    ``error`` answers what is not finished by ``finish_by`` (monotonic seconds). What waits in the
    queue is answered with it at once, unless ``drains_queue``. ``answered_before``: the jobs
    answered before the shutdown was asked for, by outcome. ``fault``: what ``health`` tells of it.
    """

    code: int
    reason: str
    error: SidecarError
    finish_by: float
    drains_queue: bool = False
    shutdown_id: RequestId | None = None
    answered_before: Counter[str] = field(default_factory=Counter)
    flush_s: float = _FLUSH_S
    fault: HealthError | None = None


def exit_at_once(code: int, reason: str, fault: SidecarError | None = None) -> Exit:
    """The exit when nobody waits for answers any more: only what runs may finish."""
    return Exit(
        code=code,
        reason=reason,
        error=Cancelled(f"not finished: {reason}"),
        finish_by=time.perf_counter() + _FINISH_S,
        fault=None if fault is None else _told(fault),
    )


def exit_for_fault(code: int, error: SidecarError) -> Exit:
    """The exit when the process cannot go on: all that is in flight is answered with ``error``."""
    return Exit(
        code=code,
        reason=error.message,
        error=error,
        finish_by=time.perf_counter(),
        fault=_told(error),
    )


def exit_by_shutdown(
    request_id: RequestId, drain_ms: float | None, answered_before: Counter[str]
) -> Exit:
    """The exit that the host asked for: what is in flight has ``drain_ms``."""
    drain_s = _DEFAULT_DRAIN_S if drain_ms is None else drain_ms / 1000
    return Exit(
        code=EXIT_OK,
        reason="the host asked for a shutdown",
        error=Cancelled("the shutdown did not leave the time to finish this request"),
        finish_by=time.perf_counter() + drain_s,
        drains_queue=True,
        shutdown_id=request_id,
        answered_before=answered_before,
        flush_s=_SHUTDOWN_FLUSH_S,
    )


def _told(error: SidecarError) -> HealthError:
    retryable = error.retryable and error.kind not in _AS_BEFORE
    return HealthError(code=error.code, kind=error.kind, retryable=retryable)
