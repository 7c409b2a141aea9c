"""Vectors of who speaks when; of 1.2."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocol.vectors.speech import SILENCE
from protocol.vectors.vector import FINGERPRINT, Vector, fulfilled, refused_params, told

_WANTED: dict[str, object] = {
    "identify": True,
    "exclusive": True,
    "progress": True,
    "deadline_ms": 600_000,
}


def diarize_requests() -> Iterator[Vector]:
    """Requests to tell who speaks when, of an audio in which nobody does."""
    cases: list[tuple[str, str, dict[str, object]]] = [
        ("diarize", "as many speakers as are heard", {}),
        ("diarize_exactly", "all options; two speakers", {"n_speakers": 2, **_WANTED}),
        (
            "diarize_between",
            "all options; two speakers to four",
            {"min_speakers": 2, "max_speakers": 4, **_WANTED},
        ),
    ]
    for name, what, options in cases:
        yield fulfilled(
            name,
            "diarize",
            what,
            {"audio": SILENCE, **options},
            ("turns", "speakers", "dim", "model", "fingerprint", "duration_s"),
        )


def refused_diarize_requests() -> Iterator[Vector]:
    """The same, with params that cannot be."""
    cases: list[tuple[str, str, dict[str, object], str]] = [
        ("no_speakers", "nobody", {"n_speakers": 0}, "invalid_params"),
        ("many_speakers", "more than 100", {"max_speakers": 101}, "invalid_params"),
        (
            "speakers_twice",
            "how many there are, and between how many",
            {"n_speakers": 2, "min_speakers": 1},
            "invalid_params",
        ),
        (
            "speakers_crossed",
            "at least more than there are at most",
            {"min_speakers": 3, "max_speakers": 2},
            "invalid_params",
        ),
        ("top", "what only identify takes", {"top": 3}, "unknown_field"),
    ]
    for name, what, options, kind in cases:
        params = {"audio": SILENCE, **options}
        yield refused_params(f"diarize_{name}", what, "diarize", params, kind)
    yield refused_params("diarize_nothing", "of no audio", "diarize", {}, "missing_field")


def diarize_replies() -> Iterator[Vector]:
    """What a child tells of it."""
    first, second = (struct.pack("<4f", *numbers) for numbers in ((1, 0, 0, 0), (0, 0.5, -0.5, 0)))
    model = {"dim": 4, "model": "campplus-zh-en", "fingerprint": FINGERPRINT}
    result = {
        "turns": [
            {"start_s": 0.5, "end_s": 4, "speaker": "S1", "overlap": True},
            {"start_s": 3.25, "end_s": 6.5, "speaker": "S2", "overlap": True},
            {"start_s": 7, "end_s": 9.25, "speaker": "S1", "overlap": False},
        ],
        "speakers": [
            {
                "label": "S1",
                "embedding": first,
                "speech_s": 5.75,
                "person": {"id": "p-1", "name": "Ada"},
                "llr": 6.5,
                "probability": 0.9985,
            },
            {"label": "S2", "embedding": second, "speech_s": 3.25},
        ],
        **model,
        "duration_s": 10,
        "warnings": [{"kind": "other_model", "message": "of another model", "prints": 3}],
    }
    nobody = {"turns": [], "speakers": [], **model, "duration_s": 1.5}
    yield told(
        "diarize_result",
        "two speakers, who also speak together; one of them is a person of the gallery",
        {"id": 13, "result": result},
    )
    yield told("diarize_result_nobody", "nobody speaks", {"id": 13, "result": nobody})
    work = {"id": 13, "done": 60, "total": 3600, "unit": "seconds"}
    yield told(
        "progress_request_seconds",
        "of a request to tell who speaks when",
        {"method": "progress", "params": work},
    )
    data = {"kind": "too_many_turns", "retryable": False, "max_turns": 20_000}
    refusal = {"code": -32010, "message": "it has 20,001 turns", "data": data}
    yield told("error_too_many_turns", "error -32010, too many", {"id": 13, "error": refusal})
