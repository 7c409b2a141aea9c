"""The first frame of every child, apart from all the others: ``hello`` waits for few imports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from protocol.payload import pack

JSONRPC = "2.0"
PROTOCOL = 1
PROTOCOL_MINOR = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child takes at most. ``max_in_flight`` counts audios, not requests."""

    max_frame_bytes: int
    max_in_flight: int
    max_batch_items: int
    max_queued_bytes: int
    max_windows: int
    max_segments: int


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of every child."""

    method: ClassVar[str] = "hello"
    name: str
    version: str
    pid: int
    instance: str
    capabilities: tuple[str, ...]
    limits: Limits
    protocol: int = PROTOCOL
    protocol_minor: int = PROTOCOL_MINOR


def encode_hello(hello: Hello) -> bytes:
    """The payload of the first frame."""
    return pack({"jsonrpc": JSONRPC, "method": hello.method, "params": asdict(hello)})
