"""Headers of a few fields, behind which the samples follow: AU, NIST SPHERE and Wave64.

Formats: Sun's and NeXT's ``.snd`` (AU); NIST's SPeech HEader REsources; Sony's Wave64, which is
RIFF with GUIDs for names and 64 bits for sizes.
"""

from __future__ import annotations

import re
import struct

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.sample_data import Coding, SampleData, floats, law, no_samples, pcm
from sidecar.audio.formats.wav_chunks import coding_of

_MAX_CHUNKS = 10_000
_UNKNOWN_AU_SIZE = 0xFFFF_FFFF
_AU_PCM_BITS = {2: 8, 3: 16, 4: 24, 5: 32}
_AU_FLOAT_BITS = {6: 32, 7: 64}
_AU_LAWS = {1: "ULAW", 27: "ALAW"}

_SPHERE_FIELD = re.compile(rb"^(\w+) -(?:i|r|s\d+) (\S.*?)\s*$", re.MULTILINE)
_MAX_SPHERE_HEADER = 1 << 16
_SPHERE_LAWS = {b"ulaw": "ULAW", b"mu-law": "ULAW", b"alaw": "ALAW"}

# The second halves of Wave64's GUIDs; their first four bytes are RIFF's names.
W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
W64_WAVE = b"wave" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_FMT, _W64_DATA = b"fmt " + W64_WAVE[4:], b"data" + W64_WAVE[4:]
_W64_HEAD_BYTES = 24


def read_au(source: AudioBytes) -> SampleData:
    """Read the header of the AU file that ``source`` is.

    Raises:
        BadAudio: ``corrupt``: the header is not all there.
    """
    header = source.at(0, 24)
    if len(header) < 24:
        raise no_samples("AU")
    is_big = header[:4] == b".snd"
    start, n_bytes, encoding, rate_hz, channels = struct.unpack(
        f"{'>' if is_big else '<'}5I", header[4:]
    )
    endian = "BIG" if is_big else "LITTLE"
    if encoding in _AU_PCM_BITS:
        coding = pcm(_AU_PCM_BITS[encoding], rate_hz, channels, endian)
    elif encoding in _AU_FLOAT_BITS:
        coding = floats(_AU_FLOAT_BITS[encoding], rate_hz, channels, endian)
    elif encoding in _AU_LAWS:
        coding = law(_AU_LAWS[encoding], rate_hz, channels)
    else:
        coding = Coding("AU coding", None, None)
    has_size = n_bytes != _UNKNOWN_AU_SIZE
    end = start + n_bytes if has_size else max(start, source.n_bytes)
    return SampleData("AU", coding, range(start, max(start, end)), max(start, end), has_size)


def read_sphere(source: AudioBytes) -> SampleData:
    """Read the header of the SPHERE file that ``source`` is.

    Raises:
        BadAudio: ``corrupt``: it does not say how the samples are coded.
    """
    size_line = source.at(8, 8).strip()
    start = int(size_line) if size_line.isdigit() else 0
    if not 16 <= start <= _MAX_SPHERE_HEADER:
        raise no_samples("SPHERE")
    fields = dict(_SPHERE_FIELD.findall(source.at(0, start)))
    numbers = {
        name: int(value) for name, value in fields.items() if re.fullmatch(rb"\d{1,15}", value)
    }
    rate_hz, channels = numbers.get(b"sample_rate", 0), numbers.get(b"channel_count", 1)
    n_sample_bytes = numbers.get(b"sample_n_bytes", 2)
    form = fields.get(b"sample_coding", b"pcm").lower()
    if form in _SPHERE_LAWS:
        coding = law(_SPHERE_LAWS[form], rate_hz, channels)
    elif form == b"pcm":
        endian = "BIG" if fields.get(b"sample_byte_format", b"01").startswith(b"1") else "LITTLE"
        coding = pcm(8 * n_sample_bytes, rate_hz, channels, endian)
    else:
        coding = Coding("shorten" if b"shorten" in form else "SPHERE coding", None, None)
    n_frames = numbers.get(b"sample_count")
    n_bytes = source.n_bytes - start if n_frames is None else n_frames * channels * n_sample_bytes
    place = range(start, start + max(0, n_bytes))
    return SampleData("SPHERE", coding, place, place.stop, n_frames is not None)


def read_w64(source: AudioBytes) -> SampleData:
    """Read the header of the Wave64 file that ``source`` is.

    Raises:
        BadAudio: ``corrupt``: it names no samples, or not how they are coded.
    """
    fmt, offset = b"", len(W64_RIFF) + 8 + len(W64_WAVE)
    place, has_size = None, True
    for _ in range(_MAX_CHUNKS):
        header = source.at(offset, _W64_HEAD_BYTES)
        if len(header) < _W64_HEAD_BYTES:
            break
        name, n_bytes = header[:16], int.from_bytes(header[16:], "little")
        start = offset + _W64_HEAD_BYTES
        if name == _W64_DATA and place is None:
            # A writer that could not seek back has left about the largest number, or none.
            has_size = _W64_HEAD_BYTES < n_bytes < 1 << 62
            n_bytes = n_bytes if has_size else source.n_bytes - offset
            place = range(start, offset + n_bytes)
        elif place is not None and (name == W64_RIFF or offset + n_bytes > source.n_bytes):
            break  # another file, or no chunk at all
        elif name == _W64_FMT and not fmt:
            fmt = source.at(start, min(n_bytes, 1 << 10))
        if n_bytes < _W64_HEAD_BYTES:
            break
        offset += n_bytes + -n_bytes % 8
    if place is None or len(fmt) < 16:
        raise no_samples("W64")
    return SampleData("W64", coding_of(fmt, "<")[0], place, offset, has_size)
