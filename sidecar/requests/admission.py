"""Whether a request is taken in: pure."""

from __future__ import annotations

from typing import NamedTuple

from protocol.diarization import DiarizeParams
from protocol.errors import InvalidParams, Overloaded
from protocol.hello import Limits
from protocol.params import EmbedSegmentsParams, EmbedWindowsParams, SpeechParams

# A request of more audios is long work, and so is one of many parts; a score has two.
_MOST_LIVE_AUDIOS = 2
# What may last for hours.
_LONG_WORK = (EmbedWindowsParams, EmbedSegmentsParams, SpeechParams, DiarizeParams)


class InFlight(NamedTuple):
    """What is in flight, or would be."""

    audios: int
    n_bytes: int


def is_live(params: object, n_audios: int) -> bool:
    """Whether somebody waits for what is asked for; see ``Job``."""
    return n_audios <= _MOST_LIVE_AUDIOS and not isinstance(params, _LONG_WORK)


def check_counts(params: object, n_audios: int, limits: Limits) -> None:
    """Raise ``InvalidParams`` where a request has too many audios or segments for any moment."""
    _check_count("items", n_audios, limits.max_batch_items, "max_batch_items")
    if isinstance(params, EmbedSegmentsParams):
        _check_count("segments", len(params.segments), limits.max_segments, "max_segments")


def _check_count(what: str, n: int, at_most: int, limit: str) -> None:
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
