"""Vectors of streams; of 1.3."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocol.vectors.vector import (
    FINGERPRINT,
    Vector,
    fulfilled,
    refused_params,
    request,
    told,
    unfulfilled,
)

_STORED = struct.pack("<4f", 0.5, -0.5, 0.5, -0.5)
_SPEAKER: dict[str, object] = {
    "label": "S1",
    "embedding": _STORED,
    "fingerprint": "other.0123456789abcdef",
    "speech_s": 12.5,
}
_FORMAT: dict[str, object] = {"sample_rate_hz": 16_000, "encoding": "s16le"}


def stream_requests() -> Iterator[Vector]:
    """Requests to open a stream; and for one that is not open."""
    yield fulfilled("stream_open", "stream_open", "what must be said", _FORMAT, ("stream",))
    everything = {
        "sample_rate_hz": 48_000,
        "encoding": "f32le",
        "channels": 2,
        "channel": 1,
        "identify": True,
        "detail": "levels",
        "start_s": 30.5,
        "speakers": [],
    }
    yield fulfilled("stream_open_all", "stream_open", "all options", everything, ("stream",))
    cases: list[tuple[str, str, dict[str, object]]] = [
        ("push", "stream_push", {"pcm": b"\0\0\1\0"}),
        ("close", "stream_close", {}),
        (
            "close_all",
            "stream_close",
            {"min_speakers": 2, "max_speakers": 4, "exclusive": True, "deadline_ms": 60_000},
        ),
    ]
    for name, method, params in cases:
        asking = request(7, method, {"stream": "none-of-this-name", **params})
        what = f"{method}: a stream that is not open"
        yield unfulfilled(f"stream_{name}", what, asking, -32015, "unknown_stream")


def refused_stream_requests() -> Iterator[Vector]:
    """The same, with params that cannot be."""
    nameless = {name: value for name, value in _SPEAKER.items() if name != "label"}
    cases: list[tuple[str, str, dict[str, object], str]] = [
        ("detail", "a detail that is none", {"detail": "all"}, "invalid_params"),
        ("start", "before its beginning", {"start_s": -1}, "invalid_params"),
        ("label_twice", "two of one label", {"speakers": [_SPEAKER] * 2}, "invalid_params"),
        ("nameless", "a speaker without a label", {"speakers": [nameless]}, "missing_field"),
        ("pcm", "samples with the opening", {"pcm": b"\0\0"}, "unknown_field"),
    ]
    for name, what, options, kind in cases:
        params = {**_FORMAT, **options}
        yield refused_params(f"stream_open_{name}", what, "stream_open", params, kind)
    no_rate = {"encoding": "s16le"}
    yield refused_params("stream_open_rate", "no rate", "stream_open", no_rate, "missing_field")
    nothing = {"stream": "s"}
    yield refused_params("stream_push_nothing", "nothing", "stream_push", nothing, "missing_field")
    no_name = {"stream": "", "pcm": b""}
    yield refused_params("stream_push_no_name", "no name", "stream_push", no_name, "invalid_params")
    crossed = {"stream": "s", "min_speakers": 3, "max_speakers": 2}
    yield refused_params(
        "stream_close_crossed",
        "at least more than there are at most",
        "stream_close",
        crossed,
        "invalid_params",
    )


def stream_replies() -> Iterator[Vector]:
    """What a child tells of a stream."""
    yield told("stream_opened", "a stream", {"id": 14, "result": {"stream": "s1"}})
    pushed = {"received_s": 12.5, "buffered_s": 0.25}
    yield told("stream_pushed", "heard nearly to its end", {"id": 15, "result": pushed})
    turn: dict[str, object] = {"stream": "s1", "turn": 3, "start_s": 10.25, "end_s": None}
    yield told(
        "stream_turn",
        "somebody speaks; it is S2; it is Ada; she has ended",
        _notice("stream_turn", {**turn, "final": False}),
        _notice("stream_turn", {**turn, "final": False, "speaker": "S2"}),
        _notice(
            "stream_turn",
            {
                **turn,
                "end_s": 12.5,
                "final": True,
                "speaker": "S2",
                "person": {"id": "p-1", "name": "Ada"},
                "llr": 6.5,
                "probability": 0.9985,
                "embedding": _STORED,
                "speech_s": 8.75,
            },
        ),
    )
    level = {"stream": "s1", "start_s": 12, "end_s": 12.25, "rms_dbfs": -20.5, "peak_dbfs": -6.5}
    yield told(
        "stream_level",
        "how loud it is; of zeros",
        _notice("stream_level", {**level, "speech": 0.75}),
        _notice("stream_level", {"stream": "s1", "start_s": 12.25, "end_s": 12.5}),
    )
    result = {
        "turns": [{"start_s": 10.5, "end_s": 12.5, "speaker": "S2", "overlap": False}],
        "speakers": [{"label": "S2", "embedding": _STORED, "speech_s": 2, "also": ["S4", "S5"]}],
        "dim": 4,
        "model": "campplus-zh-en",
        "fingerprint": FINGERPRINT,
        "duration_s": 12.5,
    }
    yield told("stream_closed", "two labels were one person's", {"id": 16, "result": result})
    data = {"kind": "overloaded", "retryable": True, "retry_after_ms": 500, "buffered_s": 30}
    refusal = {"code": -32001, "message": "30.0 s wait to be heard", "data": data}
    yield told("error_stream_full", "error -32001, of a push", {"id": 17, "error": refusal})


def _notice(method: str, params: dict[str, object]) -> dict[str, object]:
    return {"method": method, "params": params}
