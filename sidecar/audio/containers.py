"""What kind of audio file some bytes are.

libsndfile would guess it as well, but it opens more than this project supports, and cannot name
what it does not know.
"""

from __future__ import annotations

import io
from typing import Literal, TypeAlias

from protocol.errors import BadAudio
from sidecar.audio.entry import id3_tag_bytes, read_at

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


def identify(file: io.BufferedIOBase) -> Container:
    """The kind of audio file that ``file`` is, by its first bytes; moves the file's position.

    Raises:
        BadAudio: ``empty``, or ``unsupported_format`` with the name of the format where known.
    """
    tag_bytes = id3_tag_bytes(file)
    head = read_at(file, tag_bytes, _HEAD_BYTES)
    if not head and not tag_bytes:
        raise BadAudio("the audio file is empty (0 bytes)", kind="empty")
    container = _supported(head)
    if container is not None:
        return container
    name = _foreign(head)
    if name is None and tag_bytes:
        return "MP3"
    if name is None:
        # Nothing of what it holds is told: a host could read any file by its path.
        raise BadAudio(
            f"the audio file's format is not recognised: {ADVICE}", kind="unsupported_format"
        )
    raise BadAudio(
        f"the audio file is {name}, which is not decoded here: {ADVICE}",
        kind="unsupported_format",
        format=name,
    )


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
