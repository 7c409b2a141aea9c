"""The chunks of WAV files: where the samples lie, how they are coded, how many are promised.

Formats: Microsoft's RIFF WAVE, and RIFX, the same with the high byte first; EBU Tech 3306 (RF64)
and ITU-R BS.2088 (BW64), whose ``ds64`` chunk holds the sizes.
"""

from __future__ import annotations

import struct

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.sample_data import Coding, SampleData, floats, law, no_samples, pcm

# A writer that cannot seek back states 0 or about the largest size that the field holds, in many
# variants (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, each also less a header's length).
_PLACEHOLDER_BYTES = 0x7FFF_0000
_PLACEHOLDER_BYTES_64 = 1 << 62
# A hostile file can hold millions of empty chunks.
_MAX_CHUNKS = 10_000
_FORMATS = {b"RIFF": "WAV", b"RIFX": "RIFX", b"RF64": "RF64", b"BW64": "BW64"}

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
# MPEG audio, of which the file is only the wrapping.
_MPEG = (0x50, 0x55)
_CODING_NAMES = {2: "MS ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MP2", 0x55: "MP3"}
_MAX_FMT_BYTES = 1 << 10


def read_wav(source: AudioBytes) -> tuple[SampleData, bool]:
    """Read the header of the WAV file that ``source`` is; whether it wraps the frames of an MP3.

    Raises:
        BadAudio: ``corrupt``: it names no samples, or not how they are coded.
    """
    magic = source.at(0, 4)
    format_name = _FORMATS[magic]
    byte_order = ">" if magic == b"RIFX" else "<"
    found: dict[bytes, bytes] = {}
    place, has_size = None, True
    offset = len(b"RIFF....WAVE")
    for _ in range(_MAX_CHUNKS):
        header = source.at(offset, 8)
        # Zeros in front of the samples are a gap; behind them, they belong to nothing.
        if len(header) < 8 or not (is_name(header) or (place is None and header == bytes(8))):
            break
        name, n_bytes = struct.unpack(f"{byte_order}4sI", header)
        body = offset + 8
        if name == b"data" and place is None:
            n_bytes, has_size = _data_bytes(source, body, n_bytes, found.get(b"ds64", b""))
            place = range(body, body + n_bytes)
        elif name == b"data":
            raise _two_places(format_name)
        elif place is not None and (name in _FORMATS or body + n_bytes > source.n_bytes):
            break  # another file, or no chunk at all
        elif name not in found:
            found[name] = source.at(body, min(n_bytes, _MAX_FMT_BYTES))
        offset = next_chunk(source, body + n_bytes, n_bytes)
    fmt = found.get(b"fmt ", b"")
    if place is None or len(fmt) < 14:
        raise no_samples(format_name)
    coding, tag = coding_of(fmt, byte_order)
    chunk = b"fmt " + struct.pack("<I", len(fmt)) + fmt + bytes(len(fmt) % 2)
    size = 0xFFFF_FFFF if not has_size else min(len(place), 0xFFFF_FFFE)
    made = b"RIFF" + b"\xff" * 4 + b"WAVE" + chunk + b"data" + struct.pack("<I", size)
    data = SampleData(format_name, coding, place, offset, has_size, made)
    return data, tag in _MPEG


def _data_bytes(source: AudioBytes, body: int, n_bytes: int, ds64: bytes) -> tuple[int, bool]:
    """How many bytes of samples there should be from ``body`` on; and whether that was stated."""
    limit = _PLACEHOLDER_BYTES
    if n_bytes == 0xFFFF_FFFF and len(ds64) >= 16:
        n_bytes, limit = int.from_bytes(ds64[8:16], "little"), _PLACEHOLDER_BYTES_64
    if 0 < n_bytes < limit:
        return n_bytes, True
    return max(0, source.n_bytes - body), False


def _two_places(format_name: str) -> BadAudio:
    return BadAudio(
        f"the {format_name} file has its samples in more than one place, and does not say how they "
        "belong together; save it again, or send PCM",
        kind="corrupt",
        format=format_name,
    )


def is_name(header: bytes) -> bool:
    """Whether a chunk may begin so; what does not is no chunk."""
    return all(32 <= byte < 127 for byte in header[:4])


def next_chunk(source: AudioBytes, end: int, n_bytes: int) -> int:
    """Where the chunk begins that follows one of so many bytes: some writers forget to pad."""
    if n_bytes % 2 == 0:
        return end
    following = source.at(end, 8)
    return end if len(following) == 8 and is_name(following) else end + 1


def coding_of(fmt: bytes, byte_order: str) -> tuple[Coding, int]:
    """How samples are coded by the body of a ``fmt`` chunk of 14 bytes or more; and its tag."""
    tag, channels, rate_hz, _, block_bytes = struct.unpack(f"{byte_order}HHIIH", fmt[:14])
    n_bits = struct.unpack(f"{byte_order}H", fmt[14:16])[0] if len(fmt) >= 16 else 8
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = struct.unpack(f"{byte_order}H", fmt[24:26])[0]
    endian = "LITTLE" if byte_order == "<" else "BIG"
    if tag == _PCM:
        # Of samples that fill more bytes than their bits need, the bytes count.
        if channels and block_bytes == 4 * channels and 16 < n_bits < 32:
            n_bits = 32
        return pcm(n_bits, rate_hz, channels, endian, unsigned_8=True), tag
    if tag == _FLOAT:
        return floats(n_bits, rate_hz, channels, endian), tag
    if tag in (_ALAW, _ULAW):
        return law("ALAW" if tag == _ALAW else "ULAW", rate_hz, channels), tag
    return Coding(_CODING_NAMES.get(tag, f"WAV coding {tag:#06x}"), None, None), tag
