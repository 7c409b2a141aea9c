"""Vectors of valid requests: those that succeed, and those that the child cannot fulfil."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from protocol.vectors.vector import (
    FINGERPRINT,
    Vector,
    asked,
    error,
    fulfilled,
    pack,
    pcm_f32,
    pcm_s16,
    request,
    result,
    tone,
    unfulfilled,
    wav,
)


def valid_requests() -> Iterator[Vector]:
    """Every method, as a host sends it."""
    audio = pcm_f32(tone())
    embedding = ("embedding", "dim", "model", "fingerprint", "normalized", "duration_s", "timings")
    stereo = pcm_s16(tone(rate_hz=48_000), 48_000, 2)
    one = struct.pack("<4f", 1, 0, 0, 0)
    two = struct.pack("<4f", 1, 1, 0, 0)
    windows = ("embeddings", "count", "dim", "starts_s", "window_s")
    stored = [{"embedding": e, "fingerprint": FINGERPRINT} for e in (one, two)]
    voices = {"a": audio, "b": {"file": wav(tone(0.3))}}
    cases: list[tuple[str, str, str, object, tuple[str, ...]]] = [
        ("embed_f32", "embed", "f32le at 16 kHz", {"audio": audio}, embedding),
        ("embed_s16_stereo_48k", "embed", "s16le stereo, 48 kHz", {"audio": stereo}, embedding),
        (
            "embed_options",
            "embed",
            "all options; a real-valued field given as an integer; nil for an absent field",
            {
                "audio": {**pcm_f32(tone(1.2)), "start_s": None, "end_s": 1},
                "normalize": False,
                "deadline_ms": 60_000,
            },
            embedding,
        ),
        (
            "embed_channel",
            "embed",
            "the second of two channels; a file that is odd would be refused",
            {"audio": {**stereo, "channel": 1, "strict": True}},
            embedding,
        ),
        (
            "embed_mix",
            "embed",
            "the mean of two channels, whose correlation is told",
            {"audio": {**stereo, "channel": "mix"}},
            (*embedding, "channel_correlation"),
        ),
        (
            "embed_odd_file",
            "embed",
            "a WAV whose end is missing: what is there is embedded, with a warning",
            {"audio": {"file": wav(tone())[:-800]}},
            (*embedding, "warnings"),
        ),
        (
            "probe",
            "probe",
            "what a file is",
            {"audio": {"file": wav(tone())}},
            ("format", "codec", "duration_s", "sample_rate_hz", "channels", "bits"),
        ),
        ("embed_file", "embed", "a WAV file's bytes", {"audio": {"file": wav(tone())}}, embedding),
        (
            "embed_batch",
            "embed_batch",
            "three audios, the second too short: it spoils no other",
            {"items": [audio, pcm_f32(tone(0.001)), stereo], "normalize": True},
            ("results",),
        ),
        (
            "embed_windows",
            "embed_windows",
            "three windows",
            {"audio": pcm_f32(tone(1.0)), "window_s": 0.5, "hop_s": 0.25},
            windows,
        ),
        (
            "embed_windows_progress",
            "embed_windows",
            "with progress: a result comes as without",
            {"audio": pcm_f32(tone(1.0)), "window_s": 0.5, "hop_s": 0.25, "progress": True},
            windows,
        ),
        (
            "embed_segments",
            "embed_segments",
            "five that overlap, in any order; the third is too short, the fourth behind the end",
            {
                "audio": pcm_f32(tone(1.0)),
                "segments": [[0.5, 1], [0, 0.75], [0.2, 0.201], [7, 9.5], [0.25, 0.75]],
                "normalize": False,
            },
            ("results",),
        ),
        ("score_audio", "score", "two audios", voices, ("cosine", "fingerprint")),
        (
            "score_stored",
            "score",
            "two embeddings of one fingerprint, kept by the host",
            {"a": stored[0], "b": stored[1]},
            ("cosine",),
        ),
        ("health", "health", "with empty params", {}, ("state", "reason", "process", "activity")),
        ("metrics", "metrics", "without params", None, ("uptime_s", "outcomes")),
        ("shutdown", "shutdown", "with a time to drain", {"drain_ms": 1000}, ("finished",)),
    ]
    for case in cases:
        yield fulfilled(*case)
    yield Vector(
        "request_string_id",
        "an id may be a string of 1 to 64 bytes, here 64 bytes in 32 characters",
        pack(request("ä" * 32, "health")),
        [asked("ä" * 32, "health")],
        [result("ä" * 32, "state")],
    )
    yield Vector(
        "request_largest_id",
        "the largest integer id, 2^53-1",
        pack(request(2**53 - 1, "health")),
        [asked(2**53 - 1, "health")],
        [result(2**53 - 1, "state")],
    )
    yield Vector(
        "cancel_unknown",
        "cancel of an id that is not in flight: nothing is answered, the next request is",
        pack({"jsonrpc": "2.0", "method": "cancel", "params": {"id": 99}})
        + pack(request(1, "health")),
        [{"cancel": {"id": 99}}, asked(1, "health")],
        [result(1, "state")],
    )
    yield Vector(
        "notification_unknown",
        "a notification of an unknown method is ignored, the next request is answered",
        pack({"jsonrpc": "2.0", "method": "later", "params": {"x": 1}})
        + pack(request(1, "health")),
        [{"ignored": True}, asked(1, "health")],
        [result(1, "state")],
    )


def failing_requests() -> Iterator[Vector]:
    """Valid requests that the child cannot fulfil; the stream goes on."""
    audio = pcm_f32(tone())
    one = struct.pack("<4f", 1, 0, 0, 0)
    stored = {"embedding": one, "fingerprint": FINGERPRINT}
    other = {"embedding": one, "fingerprint": "other.0000000000000000"}
    nan = pcm_f32([*tone(), math.nan])
    cases: list[tuple[str, str, str, object, int, str]] = [
        ("nan_audio", "a NaN among the samples", "embed", nan, -32010, "non_finite"),
        ("empty_audio", "no samples", "embed", pcm_f32([]), -32010, "empty"),
        ("too_short", "16 samples", "embed", pcm_f32(tone(0.001)), -32010, "too_short"),
        (
            "unknown_encoding",
            "an unknown encoding",
            "embed",
            {**audio, "encoding": "s24le"},
            -32010,
            "unsupported_encoding",
        ),
        (
            "sample_rate",
            "4 kHz",
            "embed",
            pcm_f32(tone(), 4000),
            -32010,
            "unsupported_sample_rate",
        ),
        (
            "half_a_sample",
            "a byte count that is no multiple of the sample",
            "embed",
            {**audio, "pcm": b"\0" * 4097},
            -32010,
            "odd_length",
        ),
        (
            "midi",
            "a MIDI file: a format that is never decoded",
            "embed",
            {"file": bytes.fromhex("4d546864000000060000000100604d54726b00000004ff2f00")},
            -32010,
            "unsupported_format",
        ),
        (
            "truncated_wav",
            "a WAV whose header promises more than is there, to a host that wants to be told",
            "embed",
            {"file": wav(tone())[:-800], "strict": True},
            -32010,
            "truncated",
        ),
        ("relative_path", "a path", "embed", {"path": "a.wav"}, -32010, "path_relative"),
        (
            "path_bytes",
            "a path as bytes, relative too",
            "embed",
            {"path": b"a.wav"},
            -32010,
            "path_relative",
        ),
        ("unc_path", "a UNC path", "embed", {"path": r"\\server\a.wav"}, -32010, "path_unc"),
        (
            "incompatible",
            "embeddings of two fingerprints",
            "score",
            {"a": stored, "b": other},
            -32012,
            "incompatible_embeddings",
        ),
        (
            "batch_too_large",
            "more items than max_batch_items",
            "embed_batch",
            {"items": [pcm_f32([0.0])] * 65},
            -32602,
            "batch_too_large",
        ),
        (
            "segments_too_many",
            "more segments than max_segments",
            "embed_segments",
            {"audio": audio, "segments": [[0, 0.2]] * 4097},
            -32602,
            "batch_too_large",
        ),
        (
            "segments_without_audio",
            "an audio that cannot be decoded at all: no segment of it has a result",
            "embed_segments",
            {"audio": {"path": "a.wav"}, "segments": [[0, 0.2], [0.2, 0.4]]},
            -32010,
            "path_relative",
        ),
    ]
    for name, what, method, content, code, kind in cases:
        params = {"audio": content} if method == "embed" else content
        yield unfulfilled(name, what, request(3, method, params), code, kind)
    yield Vector(
        "failing_deadline",
        "a deadline that has passed when the frame is read",
        pack(request(3, "embed", {"audio": audio, "deadline_ms": 0})),
        [asked(3, "embed")],
        [error(3, -32004, "deadline_exceeded")],
    )
    short = pcm_s16(tone(0.06, 8000), 8000, 1)
    many = {"items": [short] * 60}
    yield Vector(
        "failing_duplicate_id",
        "the id of a request in flight: refused with id nil, and the first is unaffected",
        pack(request(4, "embed_batch", many)) + pack(request(4, "health")),
        [asked(4, "embed_batch"), asked(4, "health")],
        [error(None, -32600, "duplicate_id"), result(4, "results")],
    )
    yield Vector(
        "failing_overloaded",
        "more audios than max_in_flight: the fifth batch of 60 is refused at once, all of it",
        b"".join(pack(request(i, "embed_batch", many)) for i in range(1, 6)),
        [asked(i, "embed_batch") for i in range(1, 6)],
        [*(result(i, "results") for i in range(1, 5)), error(5, -32001, "overloaded")],
    )
    yield Vector(
        "failing_cancelled",
        "a batch that is cancelled while it waits: its response is a result all the same",
        pack(request(1, "embed_batch", many))
        + pack({"jsonrpc": "2.0", "method": "cancel", "params": {"id": 1}}),
        [asked(1, "embed_batch"), {"cancel": {"id": 1}}],
        [result(1, "results")],
    )
