"""Where a file keeps its samples, and how they are coded: what many formats' headers state."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import BadAudio
from sidecar.audio.formats.libsndfile import RawSamples

# Bytes of one sample, by libsndfile's name of its coding.
SAMPLE_BYTES = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}
_PCM_BY_BYTES = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}


@dataclass(frozen=True, slots=True)
class Coding:
    """How each sample is coded.

    Attributes:
        name: for people.
        raw: what libsndfile needs to know of samples that all have the same size; None for others.
        bits: of one sample; None where that means nothing.
    """

    name: str
    raw: RawSamples | None
    bits: int | None


@dataclass(frozen=True, slots=True)
class SampleData:
    """What the header of a file states.

    Attributes:
        format_name: of the file.
        coding: of its samples.
        place: where they lie, as file offsets; it may reach beyond the end of the file.
        end: where the last part of the file ends that belongs to it.
        has_size: the header says how many there are; otherwise they reach to the end.
        header: what a decoder is shown in front of the samples; None: the whole file as it is.
    """

    format_name: str
    coding: Coding
    place: range
    end: int
    has_size: bool
    header: bytes | None = None


def pcm(
    n_bits: int, rate_hz: int, channels: int, endian: str, *, unsigned_8: bool = False
) -> Coding:
    """Integers; those of an odd number of bits fill whole bytes, from the highest bit on."""
    subtype = _PCM_BY_BYTES.get((n_bits + 7) // 8, "")
    if subtype == "PCM_S8" and unsigned_8:
        subtype = "PCM_U8"
    return _fixed("PCM", subtype, n_bits, RawSamples(subtype, endian, rate_hz, channels))


def floats(n_bits: int, rate_hz: int, channels: int, endian: str) -> Coding:
    """Floating-point numbers of 32 or 64 bits."""
    subtype = {32: "FLOAT", 64: "DOUBLE"}.get(n_bits, "")
    return _fixed("float", subtype, n_bits, RawSamples(subtype, endian, rate_hz, channels))


def law(subtype: str, rate_hz: int, channels: int) -> Coding:
    """Companded samples: ``ULAW`` or ``ALAW``."""
    name = {"ULAW": "mu-law", "ALAW": "A-law"}[subtype]
    return _fixed(name, subtype, 8, RawSamples(subtype, "LITTLE", rate_hz, channels))


def _fixed(name: str, subtype: str, n_bits: int, raw: RawSamples) -> Coding:
    """Samples of one size; of those that libsndfile does not know, none is ``raw``."""
    is_known = subtype in SAMPLE_BYTES
    is_possible = 0 < raw.channels <= 1024 and 0 < raw.sample_rate_hz < 1 << 31
    return Coding(name, raw if is_known and is_possible else None, n_bits)


def no_samples(format_name: str) -> BadAudio:
    """The refusal of a file whose header leads nowhere."""
    return BadAudio(
        f"the {format_name} file has no samples: its header is damaged, or ends before they are "
        "named; save it again, or send PCM",
        kind="corrupt",
        format=format_name,
    )
