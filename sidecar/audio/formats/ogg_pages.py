"""The pages of Ogg files, which state how many samples end with them, and the links of a chain.

Formats: RFC 3533 (Ogg); appendix A of the Vorbis I specification, RFC 7845 (Opus) and RFC 9639,
section 10.1 (FLAC), for how each lies in Ogg.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sidecar.audio.formats.audio_bytes import AudioBytes

_CAPTURE = b"OggS\0"  # and the version
# That, flags, granule position, serial number, page number, checksum, and the
# count of the lacing values that follow.
_HEAD = struct.Struct("<5sBqII4sB")
HEAD_BYTES = _HEAD.size
_MAX_PAGE_BYTES = HEAD_BYTES + 255 + 255 * 255
_CHECKSUM = slice(22, 26)
_CONTINUED, _BEGINNING, _END = 1, 2, 4
_CHUNK_BYTES = 1 << 18

_ALL_ONES = 0xFFFF_FFFF
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

# By the beginning of a stream's first packet.
_CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"Speex   ": "Speex"}


@dataclass(frozen=True, slots=True)
class Page:
    """A sound page: where it lies in the file, and what it states.

    Attributes:
        offset: of its first byte.
        body: of the first byte behind its header.
        end: behind its last byte.
        granule: how many samples end with the packets that end here, -1 if none does.
        serial: of its stream.
        number: its place in its stream.
        n_packets: how many packets end here.
        first_bytes: of its body.
    """

    offset: int
    body: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int
    n_packets: int
    first_bytes: bytes

    @property
    def is_continued(self) -> bool:
        """Whether it begins inside of a packet."""
        return bool(self.flags & _CONTINUED)

    @property
    def is_beginning(self) -> bool:
        """Whether it is the first of its stream."""
        return bool(self.flags & _BEGINNING)

    @property
    def is_end(self) -> bool:
        """Whether it is the last of its stream."""
        return bool(self.flags & _END)


def codec_of(page: Page) -> str | None:
    """How the stream is coded that begins with ``page``; None: it is none of sound."""
    names = (name for magic, name in _CODECS.items() if page.first_bytes.startswith(magic))
    return next(names, None)


@dataclass(slots=True)
class Link:
    """One stream of sound: a file is one of them, or a chain.

    Attributes:
        codec: its name.
        first: its first page.
        places: where its pages lie, as file offsets; neighbours are one.
        bodies: the same without the pages' headers, where its packets are all that is wanted.
        last_granule: the highest position that its pages state.
        is_ended: its last page says so.
        n_missing_pages: by their numbers.
    """

    codec: str
    first: Page
    places: list[range] = field(default_factory=list)
    bodies: list[range] = field(default_factory=list)
    last_granule: int = 0
    last_number: int = -1
    is_ended: bool = False
    n_missing_pages: int = 0

    def add(self, page: Page) -> None:
        """``page`` is its next one."""
        if self.places and self.places[-1].stop == page.offset:
            self.places[-1] = range(self.places[-1].start, page.end)
        else:
            self.places.append(range(page.offset, page.end))
        if self.codec == "FLAC":
            self.bodies.append(range(page.body, page.end))
        self.n_missing_pages += max(0, page.number - self.last_number - 1)
        self.last_number = page.number
        self.last_granule = max(self.last_granule, page.granule)
        self.is_ended = page.is_end


def pages(source: AudioBytes) -> Iterator[Page | int]:
    """The sound pages of ``source``; and between them how many bytes are none, for each chunk.

    Raises:
        BadAudio: ``decode_timeout``.
        OSError: the file cannot be read.
    """
    offset = 0
    while offset < source.n_bytes:
        chunk = source.at(offset, _CHUNK_BYTES)
        is_last = offset + len(chunk) >= source.n_bytes
        place = 0
        # A page may go on in the next chunk, unless there is none.
        while place < len(chunk) and (is_last or place + _MAX_PAGE_BYTES <= len(chunk)):
            page = _page_at(chunk, place, offset)
            if page is None:
                following = chunk.find(_CAPTURE, place + 1)
                end = following if following >= 0 else len(chunk) - (0 if is_last else 4)
                yield end - place
                place = max(end, place + 1)
            else:
                yield page
                place = page.end - offset
        if place == 0:
            return
        offset += place


def _page_at(chunk: bytes, place: int, offset: int) -> Page | None:
    """The page at ``place`` in a chunk at ``offset``; None if there is none, or it is damaged."""
    head = chunk[place : place + HEAD_BYTES]
    if len(head) < HEAD_BYTES or not head.startswith(_CAPTURE):
        return None
    _, flags, granule, serial, number, _, n_segments = _HEAD.unpack(head)
    body = place + HEAD_BYTES + n_segments
    lacing = chunk[place + HEAD_BYTES : body]
    end = body + sum(lacing)
    if end > len(chunk) or not is_sound(chunk[place:end]):
        return None
    return Page(
        offset=offset + place,
        body=offset + body,
        end=offset + end,
        flags=flags,
        granule=granule,
        serial=serial,
        number=number,
        n_packets=n_segments - lacing.count(255),
        first_bytes=chunk[body : min(end, body + 8)],
    )


def is_sound(page: bytes) -> bool:
    """Whether the checksum of ``page`` agrees."""
    return with_checksum(page)[_CHECKSUM] == page[_CHECKSUM]


def with_checksum(page: bytes) -> bytes:
    """``page`` with a checksum that agrees; it is computed with zeros in its place.

    It is zlib's with the bits of all bytes, and its own, in reverse order, from 0 on.
    """
    blank = page[: _CHECKSUM.start] + bytes(4) + page[_CHECKSUM.stop :]
    crc = zlib.crc32(blank.translate(_REVERSED_BITS), _ALL_ONES) ^ _ALL_ONES
    made = crc.to_bytes(4, "big").translate(_REVERSED_BITS)
    return page[: _CHECKSUM.start] + made + page[_CHECKSUM.stop :]
