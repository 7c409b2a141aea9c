"""Frames: a u32 little-endian length N, then N bytes. Bytes in, frames out, no I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocol.errors import FramingError

HEADER_BYTES = 4
MAX_FRAME_BYTES = 64 * 2**20

_HEADER = struct.Struct("<I")


def encode_frame(payload: bytes, max_frame_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """The frame that carries ``payload``.

    Raises:
        FramingError: the payload is empty or longer than ``max_frame_bytes``.
    """
    _check_length(len(payload), max_frame_bytes)
    return _HEADER.pack(len(payload)) + payload


class FrameDecoder:
    """Cuts a byte stream, however it arrives, into the payloads of its frames.

    A length is checked before its payload is waited for, so a hostile one costs no memory.
    After a ``FramingError`` nothing more can be read: every later call raises it again.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Bytes received that do not make a whole frame yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take ``data`` and iterate over the payloads that are whole now.

        The iterator raises ``FramingError`` at a bad length, after the payloads before it. Payloads
        that were not iterated over come first in the next call.
        """
        self._buffer += data
        return self._whole_payloads()

    def _whole_payloads(self) -> Iterator[bytes]:
        while len(self._buffer) >= HEADER_BYTES:
            (n_bytes,) = _HEADER.unpack_from(self._buffer)
            _check_length(n_bytes, self._max_frame_bytes, self._buffer)
            end = HEADER_BYTES + n_bytes
            if len(self._buffer) < end:
                return
            payload = bytes(memoryview(self._buffer)[HEADER_BYTES:end])
            del self._buffer[:end]
            yield payload


def _check_length(n_bytes: int, max_frame_bytes: int, received: bytearray | None = None) -> None:
    if 1 <= n_bytes <= max_frame_bytes:
        return
    seen = "" if received is None else f" (the stream continues with {bytes(received[:16])!r})"
    raise FramingError(
        f"a frame of {n_bytes} bytes: its length must be 1 to {max_frame_bytes}{seen}; "
        "send nothing but frames, each with its little-endian u32 length in front",
        max_frame_bytes=max_frame_bytes,
    )
