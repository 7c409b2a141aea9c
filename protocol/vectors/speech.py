"""Vectors of speech, and of what a score means; of 1.2."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocol.vectors.vector import (
    FINGERPRINT,
    Vector,
    fulfilled,
    pcm_f32,
    refused_params,
    request,
    tone,
    unfulfilled,
)

_ONE, _TWO = (struct.pack("<4f", 1, second, 0, 0) for second in (0, 1))
_STORED = {
    "a": {"embedding": _ONE, "fingerprint": FINGERPRINT, "speech_s": 4},
    "b": {"embedding": _TWO, "fingerprint": FINGERPRINT, "speech_s": 2.5},
}
# Of which no detector can say that somebody speaks.
SILENCE = pcm_f32([0.0] * 16_000)


def speech_requests() -> Iterator[Vector]:
    """Requests that ask for speech, or for what a cosine means."""
    audio = pcm_f32(tone())
    embedding = ("embedding", "fingerprint", "duration_s", "quality")
    fulfilled_cases: list[tuple[str, str, str, object, tuple[str, ...]]] = [
        (
            "speech",
            "speech",
            "an audio in which nobody speaks: no segments",
            {"audio": SILENCE, "deadline_ms": 60_000},
            ("segments", "speech_s", "duration_s"),
        ),
        (
            "embed_speech_all",
            "embed",
            "all of the audio, as ever; the quality is told",
            {"audio": audio, "speech": "all"},
            embedding,
        ),
        (
            "embed_batch_speech",
            "embed_batch",
            "the speech of two audios that have none: an error for each",
            {"items": [SILENCE, audio], "speech": "auto"},
            ("results",),
        ),
        (
            "score_quality",
            "score",
            "two audios, all of them: each has its quality",
            {"a": audio, "b": pcm_f32(tone(0.3)), "speech": "all"},
            ("cosine", "fingerprint", "quality_a", "quality_b"),
        ),
        (
            "score_far",
            "score",
            "of one stranger in a thousand; how much speech there was",
            {**_STORED, "far": 0.001},
            ("cosine", "fingerprint"),
        ),
        (
            "score_prior",
            "score",
            "it was as probable as one in ten, before anything was heard",
            {**_STORED, "prior": 0.1},
            ("cosine", "fingerprint"),
        ),
    ]
    for case in fulfilled_cases:
        yield fulfilled(*case)
    for name, method, params in (
        ("embed_no_speech", "embed", {"audio": SILENCE, "speech": "auto"}),
        ("embed_speech_required", "embed", {"audio": SILENCE, "speech": "require"}),
        ("score_no_speech", "score", {**_STORED, "b": SILENCE, "speech": "auto"}),
    ):
        yield unfulfilled(name, "nobody speaks", request(3, method, params), -32010, "no_speech")


def refused_speech_requests() -> Iterator[Vector]:
    """The same, with params that cannot be."""
    audio = pcm_f32(tone(0.05))
    windows = {"audio": audio, "window_s": 0.5, "hop_s": 0.5}
    negative = {**_STORED, "a": {**_STORED["a"], "speech_s": -1}}
    cases: list[tuple[str, str, str, object, str]] = [
        (
            "far_and_prior",
            "an operating point that is given twice",
            "score",
            {**_STORED, "far": 0.01, "prior": 0.5},
            "invalid_params",
        ),
        (
            "far_above_1",
            "more strangers than there are",
            "score",
            {**_STORED, "far": 1.5},
            "invalid_params",
        ),
        (
            "far_0",
            "no stranger at all: no threshold keeps that",
            "score",
            {**_STORED, "far": 0},
            "invalid_params",
        ),
        ("prior_1", "a prior that is sure", "score", {**_STORED, "prior": 1}, "invalid_params"),
        (
            "speech_word",
            "a word that speech does not know",
            "embed",
            {"audio": audio, "speech": "some"},
            "invalid_params",
        ),
        (
            "speech_boolean",
            "speech that is no word",
            "embed",
            {"audio": audio, "speech": True},
            "invalid_params",
        ),
        (
            "speech_of_windows",
            "windows are of all the audio",
            "embed_windows",
            {**windows, "speech": "auto"},
            "unknown_field",
        ),
        (
            "far_of_embed",
            "an operating point of what gives no score",
            "embed",
            {"audio": audio, "far": 0.01},
            "unknown_field",
        ),
        ("negative_speech_s", "less speech than none", "score", negative, "invalid_params"),
        ("speech_without_audio", "speech of nothing", "speech", {}, "missing_field"),
    ]
    for case in cases:
        yield refused_params(*case)
