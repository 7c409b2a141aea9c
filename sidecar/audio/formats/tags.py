"""Tags that players put in front of audio or behind it: none of them is decoded.

Formats: ID3 2.4.0, section 3.1; ID3v1; APEv2.
"""

from __future__ import annotations

from sidecar.audio.formats.audio_bytes import AudioBytes

_ID3V1_BYTES = 128
_APE_BYTES = 32
_MAX_TAGS = 100


def tag_bytes_at(source: AudioBytes, offset: int) -> int:
    """The length of the tag at ``offset``, 0 without one; one that is not all there is none."""
    head = source.at(offset, _APE_BYTES)
    n_bytes = 0
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] != 0xFF:
        n_bytes = _id3v2_bytes(head)
    elif head[:8] == b"APETAGEX" and len(head) == _APE_BYTES:
        n_bytes = _ape_bytes(head)
    elif head[:3] == b"TAG" and source.n_bytes - offset == _ID3V1_BYTES:
        n_bytes = _ID3V1_BYTES
    return n_bytes if offset + n_bytes <= source.n_bytes else 0


def tags_end(source: AudioBytes, offset: int = 0) -> int:
    """Where the tags end that begin at ``offset``; ``offset`` itself if there is none."""
    for _ in range(_MAX_TAGS):
        n_bytes = tag_bytes_at(source, offset)
        if n_bytes == 0:
            break
        offset += n_bytes
    return offset


def _id3v2_bytes(head: bytes) -> int:
    """The length is four times seven bits, the highest first; a footer has ten bytes more."""
    flags = head[5]
    a, b, c, d = head[6:10]
    n_bytes = (a & 0x7F) << 21 | (b & 0x7F) << 14 | (c & 0x7F) << 7 | (d & 0x7F)
    return 10 + n_bytes + (10 if flags & 0x10 else 0)


def _ape_bytes(head: bytes) -> int:
    """The length of the items and the footer; where this is a footer itself, nothing follows."""
    n_bytes, flags = int.from_bytes(head[12:16], "little"), int.from_bytes(head[20:24], "little")
    is_header = bool(flags & 1 << 29)
    return _APE_BYTES + (n_bytes if is_header else 0)
