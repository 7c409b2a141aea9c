"""A place inside an audio file where decoding can begin, found without decoding what precedes it.

libsndfile's own seeking is not used: in a damaged file it can hang. It is shown another file
instead: a short header, then the rest of the true file from that place on.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

# The longest header that is shown in front: it is held in memory.
MAX_HEADER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """Where to begin, and how to tell that the decoder has understood it so.

    Attributes:
        header: what the decoder is shown in front.
        offset: the file offset of what follows it.
        first_frames: the frames of the audio of which one is the first that will be decoded.
        stated_end: that first frame plus the length, in frames, that the decoder will state. (For a
            FLAC, whose length we write into the header, this proves nothing of the place; the
            frame's checksum does.)
    """

    header: bytes
    offset: int
    first_frames: range
    stated_end: int


def read_at(file: io.BufferedIOBase, offset: int, n_bytes: int) -> bytes:
    """At most ``n_bytes`` of ``file`` from ``offset`` on; moves its position."""
    file.seek(offset)
    return file.read(n_bytes)


def id3_tag_bytes(file: io.BufferedIOBase) -> int:
    """The length of the ID3v2 tag at the beginning of ``file``, 0 without one; moves the position.

    Format: ID3 2.4.0, section 3.1. The length is four times seven bits, the highest first.
    """
    head = read_at(file, 0, 10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    a, b, c, d = head[6:]
    return 10 + ((a & 0x7F) << 21 | (b & 0x7F) << 14 | (c & 0x7F) << 7 | (d & 0x7F))
