"""The chunks of WAV and RF64 files: where the samples lie, and how many the header promises.

libsndfile takes a truncated WAV for a short one. Formats: Microsoft's RIFF WAVE; EBU Tech 3306 for
RF64, whose ``ds64`` chunk holds the sizes.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from sidecar.audio.entry import MAX_HEADER_BYTES, Entry, read_at

# A writer that cannot seek back states 0 or about the largest size that the field holds, in many
# variants (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, each also less a header's length).
_PLACEHOLDER_BYTES = 0x7FFF_0000
_PLACEHOLDER_BYTES_64 = 1 << 62
# What libsndfile reads as "to the end of the file" (it takes 0 at its word).
_TO_THE_END = (0xFFFF_FFFF).to_bytes(4, "little")
_TO_THE_END_64 = (1 << 40).to_bytes(8, "little")
# A hostile file can hold millions of empty chunks.
_MAX_CHUNKS = 1000

# The format tags whose samples have a fixed size, and the sizes in bits that libsndfile reads.
_SAMPLE_BITS = {1: (8, 16, 24, 32), 3: (32, 64), 6: (8,), 7: (8,)}  # PCM, float, A-law, mu-law
_EXTENSIBLE = 0xFFFE


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Where a WAV or RF64 file keeps its samples.

    Attributes:
        offset: the file offset of the first sample, in bytes.
        n_bytes: how many bytes of samples the header promises; None if it holds a placeholder.
        size_offset: the file offset of the field that states this size.
        unknown_size: what to read there instead of a placeholder, as libsndfile understands it.
        frame_bytes: the size of one sample of all channels; None if it is not fixed.
    """

    offset: int
    n_bytes: int | None
    size_offset: int
    unknown_size: bytes
    frame_bytes: int | None


def find_data_chunk(file: io.BufferedIOBase) -> DataChunk | None:
    """The chunk of samples of the WAV or RF64 ``file``, if there is one; moves the position."""
    ds64_offset: int | None = None
    frame_bytes: int | None = None
    offset = len(b"RIFF....WAVE")
    for _ in range(_MAX_CHUNKS):
        header = read_at(file, offset, 8)
        if len(header) < 8:
            return None
        name, n_bytes = header[:4], int.from_bytes(header[4:], "little")
        body_offset = offset + 8
        if name == b"ds64":
            ds64_offset = body_offset
        elif name == b"fmt ":
            frame_bytes = _frame_bytes(read_at(file, body_offset, min(n_bytes, 26)))
        elif name == b"data" and n_bytes == 0xFFFF_FFFF and ds64_offset is not None:
            size_offset = ds64_offset + 8
            n_bytes = int.from_bytes(read_at(file, size_offset, 8), "little")
            known = n_bytes if 0 < n_bytes < _PLACEHOLDER_BYTES_64 else None
            return DataChunk(body_offset, known, size_offset, _TO_THE_END_64, frame_bytes)
        elif name == b"data":
            known = n_bytes if 0 < n_bytes < _PLACEHOLDER_BYTES else None
            return DataChunk(body_offset, known, offset + 4, _TO_THE_END, frame_bytes)
        offset = body_offset + n_bytes + n_bytes % 2
    return None


def find_wav_entry(
    file: io.BufferedIOBase, chunk: DataChunk, frame: int, n_frames: int
) -> Entry | None:
    """Where to enter ``file`` for ``frame``; None if it must be read from its beginning.

    Args:
        file: its position is moved.
        chunk: what ``find_data_chunk`` has found.
        frame: 0 to ``n_frames`` - 1.
        n_frames: how many there are, as libsndfile counts them.
    """
    if chunk.frame_bytes is None or chunk.offset > MAX_HEADER_BYTES:
        return None
    n_skipped_bytes = frame * chunk.frame_bytes
    return Entry(
        header=shown_header(file, chunk, n_skipped_bytes),
        offset=chunk.offset + n_skipped_bytes,
        first_frames=range(frame, frame + 1),
        stated_end=n_frames,
    )


def shown_header(file: io.BufferedIOBase, chunk: DataChunk, n_skipped_bytes: int = 0) -> bytes:
    """All that precedes the samples, with the size of what is left of them, or without a size."""
    size = chunk.unknown_size
    if chunk.n_bytes is not None:
        size = (chunk.n_bytes - n_skipped_bytes).to_bytes(len(size), "little")
    header = bytearray(read_at(file, 0, chunk.offset))
    header[chunk.size_offset : chunk.size_offset + len(size)] = size
    return bytes(header)


def _frame_bytes(body: bytes) -> int | None:
    """The size of one sample of all channels, from the body of a ``fmt`` chunk."""
    if len(body) < 16:
        return None
    tag, n_channels, _, _, frame_bytes, n_bits = struct.unpack("<HHIIHH", body[:16])
    if tag == _EXTENSIBLE:
        tag = int.from_bytes(body[24:26], "little")
    is_fixed = n_bits in _SAMPLE_BITS.get(tag, ()) and frame_bytes == n_channels * n_bits // 8
    return frame_bytes if is_fixed else None
