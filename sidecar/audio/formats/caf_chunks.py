"""The chunks of CAF files. Format: Apple's Core Audio Format Specification 1.0."""

from __future__ import annotations

import struct

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.sample_data import Coding, SampleData, floats, law, no_samples, pcm

_MAX_CHUNKS = 10_000
_IS_FLOAT, _IS_LITTLE_ENDIAN = 1, 2
_LAWS = {b"ulaw": "ULAW", b"alaw": "ALAW"}
_CODING_NAMES = {b"alac": "ALAC", b"ima4": "IMA ADPCM", b"aac ": "AAC", b"opus": "Opus"}
_MAX_RATE_HZ = 1 << 31


def read_caf(source: AudioBytes) -> SampleData:
    """Read the header of the CAF file that ``source`` is.

    Raises:
        BadAudio: ``corrupt``: it names no samples, or not how they are coded.
    """
    description, offset = b"", 8
    for _ in range(_MAX_CHUNKS):
        header = source.at(offset, 12)
        if len(header) < 12:
            break
        name, n_bytes = struct.unpack(">4sq", header)
        body = offset + 12
        if name == b"desc":
            description = source.at(body, 32)
        elif name == b"data" and len(description) == 32:
            # The samples follow a count of edits. -1: to the end of the file.
            start = body + 4
            end = source.n_bytes if n_bytes == -1 else body + n_bytes
            place = range(start, max(start, end))
            return SampleData("CAF", _coding(description), place, n_bytes != -1)
        if n_bytes < 0:
            break
        offset = body + n_bytes
    raise no_samples("CAF")


def _coding(description: bytes) -> Coding:
    """How the samples are coded by the body of a ``desc`` chunk."""
    rate, form, flags, _, _, channels, n_bits = struct.unpack(">d4sIIIII", description)
    rate_hz = int(rate) if 0 < rate < _MAX_RATE_HZ else 0
    endian = "LITTLE" if flags & _IS_LITTLE_ENDIAN else "BIG"
    if form == b"lpcm" and flags & _IS_FLOAT:
        return floats(n_bits, rate_hz, channels, endian)
    if form == b"lpcm":
        return pcm(n_bits, rate_hz, channels, endian)
    if form in _LAWS:
        return law(_LAWS[form], rate_hz, channels)
    return Coding(_CODING_NAMES.get(form, "CAF coding"), None, None)
