"""What a golden vector is, and the pieces that they are made of."""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass, field

import msgpack

RATE_HZ = 16_000
FINGERPRINT = "campplus-zh-en.0123456789abcdef"


@dataclass(frozen=True)
class Vector:
    """A stream and what its receiver must do; the fields are those of the ``.json``."""

    name: str
    description: str
    stream: bytes
    messages: list[object] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    direction: str = "host_to_child"
    ends: str = "continues"
    exit_code: int = 0
    cut_at: list[int] = field(default_factory=list)

    def meaning(self) -> dict[str, object]:
        """The ``.json``."""
        entries: dict[str, object] = {
            "description": self.description,
            "direction": self.direction,
            "messages": self.messages,
            "stream": self.ends,
        }
        if self.cut_at:
            entries["cut_at"] = self.cut_at
        if self.direction == "host_to_child":
            entries["answers"] = self.answers
            entries["exit_code"] = self.exit_code
        return entries


def frame(payload: bytes) -> bytes:
    """A frame with a true length."""
    return struct.pack("<I", len(payload)) + payload


def pack(message: object) -> bytes:
    """A frame that holds ``message``."""
    return frame(msgpack.packb(message))


def request(request_id: object, method: str, params: object = None) -> dict[str, object]:
    """A request's map."""
    message: dict[str, object] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def tone(seconds: float = 0.2, rate_hz: int = RATE_HZ) -> list[float]:
    """A tone of 220 Hz with two overtones, at half of full scale."""
    return [
        0.25 * sum(math.sin(2 * math.pi * 220 * k * n / rate_hz) / k for k in (1, 2, 3))
        for n in range(round(seconds * rate_hz))
    ]


def pcm_f32(samples: list[float], rate_hz: int = RATE_HZ) -> dict[str, object]:
    """Mono f32le audio."""
    pcm = struct.pack(f"<{len(samples)}f", *samples)
    return {"pcm": pcm, "encoding": "f32le", "sample_rate_hz": rate_hz, "channels": 1}


def pcm_s16(samples: list[float], rate_hz: int, channels: int) -> dict[str, object]:
    """Interleaved s16le audio, the same in all channels."""
    values = [round(32767 * sample) for sample in samples for _ in range(channels)]
    pcm = struct.pack(f"<{len(values)}h", *values)
    return {"pcm": pcm, "encoding": "s16le", "sample_rate_hz": rate_hz, "channels": channels}


def wav(samples: list[float]) -> bytes:
    """A WAV file: mono, 16 bits, 16 kHz."""
    data = struct.pack(f"<{len(samples)}h", *(round(32767 * sample) for sample in samples))
    form = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def asked(request_id: object, method: str) -> dict[str, object]:
    """A message that is a valid request."""
    return {"request": {"id": request_id, "method": method}}


def refused(request_id: object, code: int, kind: str) -> dict[str, object]:
    """A message that is refused before it is dispatched."""
    return {"refusal": {"id": request_id, "code": code, "kind": kind}}


def result(request_id: object, *names: str) -> dict[str, object]:
    """An answer with a result that has these fields."""
    return {"id": request_id, "result": list(names)}


def error(request_id: object, code: int, kind: str) -> dict[str, object]:
    """An answer with an error."""
    return {"id": request_id, "error": {"code": code, "kind": kind}}


def fulfilled(name: str, method: str, what: str, params: object, fields: tuple[str, ...]) -> Vector:
    """A valid request whose result has ``fields``."""
    return Vector(
        f"request_{name}",
        f"{method}: {what}",
        pack(request(7, method, params)),
        [asked(7, method)],
        [result(7, *fields)],
    )


def unfulfilled(name: str, what: str, asking: dict[str, object], code: int, kind: str) -> Vector:
    """A valid request that the child cannot fulfil; the stream goes on."""
    request_id, method = asking["id"], str(asking["method"])
    return Vector(
        f"failing_{name}",
        what,
        pack(asking),
        [asked(request_id, method)],
        [error(request_id, code, kind)],
    )


def refusal(name: str, what: str, payload: bytes, answer: tuple[object, int, str]) -> Vector:
    """A payload that is refused before it is dispatched (id, code, kind); the next is answered."""
    return Vector(
        f"refused_{name}",
        what,
        frame(payload) + pack(request(2, "health")),
        [refused(*answer), asked(2, "health")],
        [error(*answer), result(2, "state")],
    )


def refused_params(name: str, what: str, method: str, params: object, kind: str) -> Vector:
    """A request whose params cannot be."""
    return refusal(name, what, msgpack.packb(request(1, method, params)), (1, -32602, kind))


def told(name: str, what: str, *messages: dict[str, object]) -> Vector:
    """What a child tells a host."""
    return Vector(
        f"child_{name}",
        what,
        b"".join(pack({"jsonrpc": "2.0", **message}) for message in messages),
        [as_json({"jsonrpc": "2.0", **message}) for message in messages],
        direction="child_to_host",
    )


def as_json(value: object) -> object:
    """``value`` with each bin as ``{"$bin": base64}``."""
    if isinstance(value, bytes):
        return {"$bin": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value
