"""What kind of audio file some bytes are, and how much audio a WAV header promises.

libsndfile would guess the kind as well, but it opens more than this project supports, cannot name
what it does not know, and takes a truncated WAV for a short one.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import BadAudio

Container: TypeAlias = Literal["WAV", "RF64", "FLAC", "OGG", "MP3"]

SUPPORTED = "WAV, FLAC, OGG (Vorbis, Opus) or MP3"
ADVICE = (
    f"send {SUPPORTED}, or PCM: in an Electron renderer, AudioContext.decodeAudioData makes it "
    "of whatever Chromium can play"
)

_HEAD_BYTES = 64

# Formats that people do send and that are not decoded here: (offset, magic, name).
_FOREIGN = (
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (4, b"ftyp", "MP4, M4A or MOV"),
    (4, b"moov", "MP4, M4A or MOV"),
    (4, b"mdat", "MP4, M4A or MOV"),
    (4, b"wide", "MP4, M4A or MOV"),
    (0, b"caff", "CAF"),
    (0, b"FORM", "AIFF"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA or ASF"),
    (0, b"ADIF", "AAC"),
    (0, b"#!AMR", "AMR"),
    (8, b"AVI ", "AVI"),
)

# The first packet of an Ogg stream, after a page header of 27 bytes and one segment length.
_OGG_CODEC_OFFSET = 28
_OGG_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC")

# A writer that cannot seek back states 0 or about the largest size that the field holds, in many
# variants (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, each also less a header's length).
_PLACEHOLDER_BYTES = 0x7FFF_0000
_PLACEHOLDER_BYTES_64 = 1 << 62
# What libsndfile reads as "to the end of the file" (it takes 0 at its word).
_TO_THE_END = (0xFFFF_FFFF).to_bytes(4, "little")
_TO_THE_END_64 = (1 << 40).to_bytes(8, "little")
# A hostile file can hold millions of empty chunks.
_MAX_CHUNKS = 1000


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Where a WAV or RF64 file keeps its samples.

    Attributes:
        offset: the file offset of the first sample, in bytes.
        n_bytes: how many bytes of samples the header promises; None if it holds a placeholder.
        size_offset: the file offset of the field that states this size.
        unknown_size: what to read there instead of a placeholder, as libsndfile understands it.
    """

    offset: int
    n_bytes: int | None
    size_offset: int
    unknown_size: bytes


def identify(file: io.BufferedIOBase) -> Container:
    """The kind of audio file that ``file`` is, by its first bytes; moves the file's position.

    Raises:
        BadAudio: ``empty``, or ``unsupported_format`` with the name of the format where known.
    """
    head = _read_at(file, 0, _HEAD_BYTES)
    if not head:
        raise BadAudio("the audio file is empty (0 bytes)", kind="empty")
    has_tag = head[:3] == b"ID3" and len(head) >= 10
    if has_tag:
        head = _read_at(file, _id3_tag_bytes(head), _HEAD_BYTES)
    container = _supported(head)
    if container is not None:
        return container
    name = _foreign(head)
    if name is None and has_tag:
        return "MP3"
    if name is None:
        raise BadAudio(
            f"the audio file's format is not recognised (it begins with {head[:8].hex(' ')}): "
            f"{ADVICE}",
            kind="unsupported_format",
        )
    raise BadAudio(
        f"the audio file is {name}, which is not decoded here: {ADVICE}",
        kind="unsupported_format",
        format=name,
    )


def find_data_chunk(file: io.BufferedIOBase) -> DataChunk | None:
    """The chunk of samples of the WAV or RF64 ``file``, None if there is none; moves the position.

    Formats: Microsoft's RIFF WAVE; EBU Tech 3306 for RF64, whose ``ds64`` chunk holds the sizes.
    """
    ds64_offset: int | None = None
    offset = len(b"RIFF....WAVE")
    for _ in range(_MAX_CHUNKS):
        header = _read_at(file, offset, 8)
        if len(header) < 8:
            return None
        name, n_bytes = header[:4], int.from_bytes(header[4:], "little")
        body_offset = offset + 8
        if name == b"ds64":
            ds64_offset = body_offset
        elif name == b"data" and n_bytes == 0xFFFF_FFFF and ds64_offset is not None:
            size_offset = ds64_offset + 8
            n_bytes = int.from_bytes(_read_at(file, size_offset, 8), "little")
            known = 0 < n_bytes < _PLACEHOLDER_BYTES_64
            return DataChunk(body_offset, n_bytes if known else None, size_offset, _TO_THE_END_64)
        elif name == b"data":
            known = 0 < n_bytes < _PLACEHOLDER_BYTES
            return DataChunk(body_offset, n_bytes if known else None, offset + 4, _TO_THE_END)
        offset = body_offset + n_bytes + n_bytes % 2
    return None


def _supported(head: bytes) -> Container | None:
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RF64"):
        return "WAV" if head[:4] == b"RIFF" else "RF64"
    if head[:4] == b"fLaC":
        return "FLAC"
    codec = head[_OGG_CODEC_OFFSET:]
    # A head too short to show its codec is left to libsndfile, which finds it broken.
    if head[:4] == b"OggS" and (len(codec) < 8 or codec.startswith(_OGG_CODECS)):
        return "OGG"
    # An MPEG audio frame: eleven bits of sync, then a layer of I to III.
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06:
        return "MP3"
    return None


def _foreign(head: bytes) -> str | None:
    for offset, magic, name in _FOREIGN:
        if head[offset:].startswith(magic):
            return name
    # AAC in ADTS: twelve bits of sync, then layer 0.
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    if head[:4] == b"OggS":
        return "OGG with another codec than Vorbis, Opus or FLAC"
    return None


def _id3_tag_bytes(head: bytes) -> int:
    """The length of an ID3v2 tag with its header: four times seven bits, the highest first."""
    a, b, c, d = head[6:10]
    return 10 + ((a & 0x7F) << 21 | (b & 0x7F) << 14 | (c & 0x7F) << 7 | (d & 0x7F))


def _read_at(file: io.BufferedIOBase, offset: int, n_bytes: int) -> bytes:
    file.seek(offset)
    return file.read(n_bytes)
