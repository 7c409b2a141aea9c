"""Vectors of payloads that are refused, and of streams that are cut or lost."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import msgpack

from protocol.vectors.vector import (
    Vector,
    asked,
    error,
    pack,
    pcm_f32,
    refusal,
    request,
    result,
    tone,
)


def refused_requests() -> Iterator[Vector]:
    """Payloads that are answered with an error; the stream goes on."""
    audio = pcm_f32(tone())
    part = {**audio, "end_s": 1}
    good = request(1, "health")
    fields = [b"\xa7jsonrpc\xa32.0", b"\xa2id\x01", b"\xa6method\xa6health"]
    twice = b"\x84" + b"".join(fields) + b"\xa2id\x02"
    nested: object = []
    for _ in range(15):
        nested = [nested]
    cases: list[tuple[str, str, bytes, object, int, str]] = [
        (
            "trailing",
            "a byte behind the map",
            msgpack.packb(good) + b"\xc0",
            None,
            -32700,
            "malformed",
        ),
        (
            "cut_inside",
            "a map that ends too soon",
            msgpack.packb(good)[:-3],
            None,
            -32700,
            "malformed",
        ),
        ("no_msgpack", "a byte that msgpack does not use", b"\xc1", None, -32700, "malformed"),
        (
            "extension",
            "an extension type",
            msgpack.packb({**good, "params": msgpack.ExtType(5, b"x")}),
            None,
            -32700,
            "malformed",
        ),
        (
            "timestamp",
            "msgpack's own extension type, a timestamp",
            msgpack.packb({**good, "params": msgpack.Timestamp(0)}),
            None,
            -32700,
            "malformed",
        ),
        ("duplicate_key", "the key id twice", twice, None, -32700, "malformed"),
        (
            "integer_key",
            "a key that is no string",
            b"\x84" + b"".join(fields) + b"\x01\x02",
            None,
            -32700,
            "malformed",
        ),
        (
            "deep",
            "17 levels deep, the innermost one empty; 16 are allowed",
            msgpack.packb({**good, "params": nested}),
            None,
            -32700,
            "malformed",
        ),
        (
            "bad_utf8",
            "a string that is not UTF-8",
            b"\x83" + fields[0] + fields[1] + b"\xa6method\xa6heal\xff\xfe",
            None,
            -32700,
            "malformed",
        ),
        ("array", "a JSON-RPC batch", msgpack.packb([good]), None, -32600, "invalid_request"),
        ("integer", "a payload that is no map", b"\x05", None, -32600, "invalid_request"),
        (
            "float_id",
            "a float for an id",
            msgpack.packb(request(1.0, "health")),
            None,
            -32600,
            "bad_id",
        ),
        (
            "negative_id",
            "a negative id",
            msgpack.packb(request(-1, "health")),
            None,
            -32600,
            "bad_id",
        ),
        ("empty_id", "an empty id", msgpack.packb(request("", "health")), None, -32600, "bad_id"),
        (
            "huge_id",
            "an integer id above 2^53-1",
            msgpack.packb(request(2**53, "health")),
            None,
            -32600,
            "bad_id",
        ),
        (
            "no_version",
            "jsonrpc is missing",
            msgpack.packb({"id": 1, "method": "health"}),
            1,
            -32600,
            "invalid_request",
        ),
        (
            "unknown_envelope_field",
            "a field beside jsonrpc, id, method and params",
            msgpack.packb({**good, "trace": 1}),
            1,
            -32600,
            "invalid_request",
        ),
        (
            "cancel_with_id",
            "cancel is a notification",
            msgpack.packb(request(1, "cancel", {"id": 2})),
            1,
            -32600,
            "invalid_request",
        ),
        (
            "unknown_method",
            "no such method",
            msgpack.packb(request(1, "transcribe")),
            1,
            -32601,
            "method_not_found",
        ),
        (
            "unknown_param",
            "a param that this version does not know is refused, not ignored",
            msgpack.packb(request(1, "embed", {"audio": audio, "language": "en"})),
            1,
            -32602,
            "unknown_field",
        ),
        (
            "missing_param",
            "embed without audio",
            msgpack.packb(request(1, "embed", {})),
            1,
            -32602,
            "missing_field",
        ),
        (
            "params_array",
            "params by position",
            msgpack.packb(request(1, "embed", [audio])),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "float_for_integer",
            "a float in an integer field",
            msgpack.packb(request(1, "embed", {"audio": {**audio, "channels": 1.0}})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "audio_as_array",
            "samples as an array of numbers instead of a bin",
            msgpack.packb(request(1, "embed", {"audio": {**audio, "pcm": [0.0, 0.5]}})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "two_audios",
            "pcm and path in one audio",
            msgpack.packb(request(1, "embed", {"audio": {**audio, "path": "/a.wav"}})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "nan_deadline",
            "a deadline that is no number",
            msgpack.packb(request(1, "embed", {"audio": audio, "deadline_ms": math.nan})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "empty_batch",
            "a batch of nothing",
            msgpack.packb(request(1, "embed_batch", {"items": []})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "no_segments",
            "segments of nothing",
            msgpack.packb(request(1, "embed_segments", {"audio": audio, "segments": []})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "negative_channel",
            "a channel before the first",
            msgpack.packb(request(1, "embed", {"audio": {**audio, "channel": -1}})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "probe_of_a_part",
            "a probe of an audio that is cropped",
            msgpack.packb(request(1, "probe", {"audio": part})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "segment_of_three",
            "a segment that is no pair of numbers",
            msgpack.packb(request(1, "embed_segments", {"audio": audio, "segments": [[0, 1, 2]]})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "segments_of_a_part",
            "segments of an audio that is cropped itself",
            msgpack.packb(request(1, "embed_segments", {"audio": part, "segments": [[0, 0.2]]})),
            1,
            -32602,
            "invalid_params",
        ),
        (
            "progress_of_embed",
            "progress of a request that is no long work",
            msgpack.packb(request(1, "embed", {"audio": audio, "progress": True})),
            1,
            -32602,
            "unknown_field",
        ),
    ]
    for name, what, payload, request_id, code, kind in cases:
        yield refusal(name, what, payload, (request_id, code, kind))


def streams() -> Iterator[Vector]:
    """How frames lie in the stream, and streams that end."""
    health = pack(request(1, "health"))
    yield Vector(
        "stream_coalesced",
        "three frames in one piece",
        b"".join(pack(request(i, "health")) for i in (1, 2, 3)),
        [asked(i, "health") for i in (1, 2, 3)],
        [result(i, "state") for i in (1, 2, 3)],
    )
    yield Vector("stream_empty", "no byte at all", b"")
    yield Vector(
        "stream_cut",
        "a frame, cut after every one of its bytes: the input's end is no error",
        health,
        ends="cut",
        cut_at=list(range(1, len(health))),
    )
    yield Vector(
        "stream_newline", "a bare newline, as a shell sends it", b"\n", ends="cut", cut_at=[1]
    )
    fatal = [
        ("length_0", "a length of 0", struct.pack("<I", 0)),
        ("length_over", "a length of 64 MiB + 1", struct.pack("<I", 64 * 2**20 + 1)),
        ("length_max", "the largest length that 32 bits hold", b"\xff\xff\xff\xff"),
        ("ascii", "text in place of frames", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("json_lines", "JSON in place of frames", b'{"jsonrpc": "2.0", "id": 1}\n'),
        ("big_endian", "a big-endian length", struct.pack(">I", len(health) - 4) + health[4:]),
    ]
    for name, what, rest in fatal:
        yield Vector(
            f"fatal_{name}",
            f"{what}, behind a good frame: the good one is answered, then the stream is lost",
            health + rest,
            [asked(1, "health")],
            [result(1, "state"), error(None, -32700, "frame_length")],
            ends="fatal",
            exit_code=76,
        )
