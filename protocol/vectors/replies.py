"""Vectors of what a host receives."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocol.vectors.vector import FINGERPRINT, Vector, told


def child_messages() -> Iterator[Vector]:
    """What a host receives."""
    limits = {
        "max_frame_bytes": 67108864,
        "max_in_flight": 256,
        "max_batch_items": 64,
        "max_queued_bytes": 268435456,
        "max_windows": 20000,
        "max_segments": 4096,
        "max_streams": 16,
        "max_stream_buffer_s": 30.0,
    }
    hello = {
        "name": "speaker-sidecar",
        "version": "0.1.0",
        "pid": 4711,
        "instance": "0011223344556677",
        "capabilities": [
            *("audio.pcm", "audio.file", "audio.path"),
            *("embed_segments", "progress", "probe", "audio.channel", "audio.strict", "warnings"),
            *("speech", "quality", "diarize", "people", "llr"),
            "streams",
        ],
        "limits": limits,
        "protocol": 1,
        "protocol_minor": 3,
    }
    limits_1_2 = {n: limit for n, limit in limits.items() if not n.startswith("max_stream")}
    hello_1_2 = {
        **hello,
        "capabilities": [
            *("audio.pcm", "audio.file", "audio.path"),
            *("embed_segments", "progress", "probe", "audio.channel", "audio.strict", "warnings"),
            *("speech", "quality", "diarize", "people", "llr"),
        ],
        "limits": limits_1_2,
        "protocol_minor": 2,
    }
    hello_1_1 = {
        **hello_1_2,
        "capabilities": [
            *("audio.pcm", "audio.file", "audio.path"),
            *("embed_segments", "progress", "probe", "audio.channel", "audio.strict", "warnings"),
        ],
        "protocol_minor": 1,
    }
    limits_1_0 = {name: limit for name, limit in limits_1_2.items() if name != "max_segments"}
    hello_1_0 = {
        **hello,
        "capabilities": ["audio.pcm", "audio.file", "audio.path"],
        "limits": limits_1_0,
        "protocol_minor": 0,
    }
    timings = {"decode_ms": 0.1, "queue_ms": 0.2, "compute_ms": 34.5}
    embedding = {
        "embedding": struct.pack("<4f", 0.5, -0.5, 0.5, -0.5),
        "dim": 4,
        "model": "campplus-zh-en",
        "fingerprint": FINGERPRINT,
        "normalized": True,
        "duration_s": 1.5,
        "device": "cpu",
        "batch_size": 1,
        "timings": timings,
    }
    warning = {
        "kind": "missing_end",
        "message": "the WAV file is truncated",
        "promised_bytes": 32_000,
        "present_bytes": 31_000,
    }
    bad = {
        "code": -32010,
        "message": "too short",
        "data": {"kind": "too_short", "retryable": False},
    }
    errors = [
        (-32700, "malformed", False, None),
        (-32600, "invalid_request", False, None),
        (-32601, "method_not_found", False, 8),
        (-32602, "invalid_params", False, 8),
        (-32603, "internal", False, 8),
        (-32001, "overloaded", True, 8),
        (-32003, "draining", True, 8),
        (-32004, "deadline_exceeded", False, 8),
        (-32800, "cancelled", False, 8),
        (-32010, "too_short", False, 8),
        (-32011, "model_unavailable", False, 8),
        (-32012, "incompatible_embeddings", False, 8),
        (-32013, "unknown_person", False, 8),
        (-32014, "gallery_unavailable", False, 8),
        (-32015, "unknown_stream", False, 8),
        (-32020, "device_error", True, 8),
        (-32021, "out_of_memory", False, 8),
    ]

    yield told("hello", "the first frame", {"method": "hello", "params": hello})
    yield told(
        "hello_1_2", "a child of 1.2: without streams", {"method": "hello", "params": hello_1_2}
    )
    yield told(
        "hello_1_1",
        "a child of 1.1: without speech, diarize, people, and what a cosine means",
        {"method": "hello", "params": hello_1_1},
    )
    yield told(
        "hello_1_0",
        "a child of the first version: without embed_segments and progress of requests",
        {"method": "hello", "params": hello_1_0},
    )
    yield told(
        "hello_newer_minor",
        "a newer minor version with a field and a capability that this host does not know: served",
        {
            "method": "hello",
            "params": {
                **hello,
                "protocol_minor": 9,
                "mood": "good",
                "capabilities": ["transcribe"],
            },
        },
    )
    yield told(
        "hello_other_protocol",
        "another protocol: the host must stop here",
        {"method": "hello", "params": {**hello, "protocol": 2}},
    )
    yield told(
        "health_unknown_state",
        "a state that this host does not know is not an error",
        {"method": "health", "params": {"state": "resting", "reason": "", "device": None}},
    )
    yield told(
        "health_failed",
        "of 1.3: why the child ends, for programs",
        {
            "method": "health",
            "params": {
                "state": "failed",
                "reason": "there is no model of that name",
                "error": {"code": -32011, "kind": "unknown_model", "retryable": False},
            },
        },
    )
    progress = {"phase": "download", "done": 1, "total": None, "unit": "bytes"}
    yield told("progress", "a total of nil: not known", {"method": "progress", "params": progress})
    work = {"id": 8, "done": 96, "total": 4799, "unit": "windows"}
    yield told("progress_request", "of a request", {"method": "progress", "params": work})
    unknown = {"id": "b-1", "done": 3, "total": None, "unit": "windows"}
    yield told(
        "progress_request_unknown",
        "of a request with a string as its id; a total of nil: not known",
        {"method": "progress", "params": unknown},
    )
    yield told("unknown_notification", "to be ignored", {"method": "later", "params": {"x": [1]}})
    yield told("embed_result", "an embedding", {"id": 8, "result": embedding})
    yield told(
        "batch_result",
        "a batch of an embedding and an error",
        {"id": "b-1", "result": {"results": [{"result": embedding}, {"error": bad}]}},
    )
    yield told(
        "segments_result",
        "three segments of one audio, in the order in which they were asked for",
        {
            "id": 10,
            "result": {"results": [{"result": embedding}, {"error": bad}, {"result": embedding}]},
        },
    )
    yield told(
        "embed_result_with_warnings",
        "an embedding of an odd file, of two channels that were mixed",
        {
            "id": 8,
            "result": {**embedding, "channel_correlation": 0.75, "warnings": [warning]},
        },
    )
    yield told(
        "segments_result_with_warnings",
        "a segment; the warning is about the whole audio",
        {"id": 10, "result": {"results": [{"result": embedding}], "warnings": [warning]}},
    )
    yield told(
        "probe_result",
        "what an audio is",
        {
            "id": 11,
            "result": {
                "format": "MP3",
                "codec": "MP3",
                "duration_s": 6.03,
                "sample_rate_hz": 44_100,
                "channels": 2,
                "bits": None,
            },
        },
    )
    yield told("score_result", "a cosine", {"id": 9, "result": {"cosine": 1, "fingerprint": "f"}})
    for code, kind, retryable, request_id in errors:
        data = {"kind": kind, "retryable": retryable}
        refusal = {"code": code, "message": "what was wrong and what to do", "data": data}
        yield told(f"error_{kind}", f"error {code}", {"id": request_id, "error": refusal})
    for name, what, stream in (
        ("garbage", "a line of text: the child's output is not to be trusted", b"Traceback (most"),
        ("length_0", "a length of 0", struct.pack("<I", 0)),
    ):
        yield Vector(f"child_fatal_{name}", what, stream, direction="child_to_host", ends="fatal")
