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
    place, has_size = None, True
    for _ in range(_MAX_CHUNKS):
        header = source.at(offset, 12)
        if len(header) < 12:
            break
        name, n_bytes = struct.unpack(">4sq", header)
        body = offset + 12
        if name == b"data" and place is None:
            # The samples follow a count of edits. -1: to the end of the file.
            has_size = n_bytes != -1
            n_bytes = n_bytes if has_size else source.n_bytes - body
            place = range(body + 4, max(body + 4, body + n_bytes))
        elif name == b"desc" and not description:
            description = source.at(body, 32)
        elif place is not None and body + n_bytes > source.n_bytes:
            break
        if n_bytes < 0:
            break
        offset = body + n_bytes
    if place is None or len(description) < 32:
        raise no_samples("CAF")
    return SampleData("CAF", _coding(description), place, offset, has_size)


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
