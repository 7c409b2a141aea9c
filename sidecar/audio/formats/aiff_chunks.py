"""The chunks of AIFF and AIFF-C files.

Format: Apple's Audio Interchange File Format AIFF-C, draft of 1991-08-26.
"""

from __future__ import annotations

import struct

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.sample_data import Coding, SampleData, floats, law, no_samples, pcm
from sidecar.audio.formats.wav_chunks import is_name, next_chunk

_MAX_CHUNKS = 10_000
_FLOATS = {b"fl32": 32, b"FL32": 32, b"fl64": 64, b"FL64": 64}
_LAWS = {b"ulaw": "ULAW", b"ULAW": "ULAW", b"alaw": "ALAW", b"ALAW": "ALAW"}
_BIG_ENDIAN = (b"NONE", b"twos", b"in24", b"in32")


def read_aiff(source: AudioBytes) -> SampleData:
    """Read the header of the AIFF file that ``source`` is.

    Raises:
        BadAudio: ``corrupt``: it names no samples, or not how they are coded.
    """
    is_compressed = source.at(8, 4) == b"AIFC"
    common, place = b"", None
    offset = len(b"FORM....AIFF")
    for _ in range(_MAX_CHUNKS):
        header = source.at(offset, 8)
        if len(header) < 8 or not is_name(header):
            break
        name, n_bytes = struct.unpack(">4sI", header)
        body = offset + 8
        if place is not None and (name == b"FORM" or body + n_bytes > source.n_bytes):
            break  # another file, or no chunk at all
        if name == b"COMM":
            common = source.at(body, 22)
        elif name == b"SSND" and place is None:
            start = body + 8 + int.from_bytes(source.at(body, 4), "big")
            place = range(start, max(start, body + n_bytes))
        offset = next_chunk(source, body + n_bytes, n_bytes)
    if place is None or len(common) < 18:
        raise no_samples("AIFF")
    coding = _coding(common, is_compressed=is_compressed)
    return SampleData("AIFF", coding, place, offset, has_size=True)


def _coding(common: bytes, *, is_compressed: bool) -> Coding:
    """How the samples are coded by the body of a ``COMM`` chunk."""
    channels, _, n_bits = struct.unpack(">HIH", common[:8])
    rate_hz = _extended(common[8:18])
    compression = common[18:22] if is_compressed else b"NONE"
    if compression in _BIG_ENDIAN:
        return pcm(n_bits, rate_hz, channels, "BIG")
    if compression == b"sowt":
        return pcm(n_bits, rate_hz, channels, "LITTLE")
    if compression == b"raw ":
        return pcm(n_bits, rate_hz, channels, "BIG", unsigned_8=True)
    if compression in _FLOATS:
        return floats(_FLOATS[compression], rate_hz, channels, "BIG")
    if compression in _LAWS:
        return law(_LAWS[compression], rate_hz, channels)
    return Coding("IMA ADPCM" if compression == b"ima4" else "AIFF-C coding", None, None)


def _extended(data: bytes) -> int:
    """A whole rate as an 80-bit IEEE 754 number: a sign, 15 bits of exponent, 64 of mantissa."""
    exponent, mantissa = struct.unpack(">HQ", data)
    shift = 16383 + 63 - exponent
    return mantissa >> shift if 0 <= shift < 64 else 0
