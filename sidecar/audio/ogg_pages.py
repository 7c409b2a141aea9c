"""The pages of Ogg files, which state how many samples end with them.

Only Vorbis is entered. Opus is not: a decoder that begins in the middle of speech differs by some
thousandths, for many seconds, from one that has heard all.

Formats: RFC 3533 (Ogg); appendix A of the Vorbis I specification, for how it lies in Ogg.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sidecar.audio.entry import MAX_HEADER_BYTES, Entry, read_at

_CAPTURE = b"OggS\0"  # and the version
# That, flags, granule position, serial number, page number, checksum, and the
# count of the lacing values that follow.
_HEAD = struct.Struct("<5sBqII4sB")
_CHECKSUM_OFFSET = 22
_CONTINUED, _BEGINNING = 1, 2
_CHUNK_BYTES = 1 << 18

_VORBIS = b"\x01vorbis"
# Identification, comment and setup; then the audio begins on a page of its own.
_N_HEADER_PACKETS = 3

_ALL_ONES = 0xFFFF_FFFF
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class _Page:
    """A page: where it begins and ends in the file, and what it states.

    Attributes:
        granule: how many samples end with the packets that end here, -1 if none does.
        n_packets: how many packets end here.
    """

    offset: int
    end: int
    is_continued: bool
    granule: int
    n_packets: int


def find_vorbis_entry(
    file: io.BufferedIOBase, sample: int, n_samples: int, is_given_up: Callable[[], bool]
) -> Entry | None:
    """Where to enter ``file`` for ``sample``; None if it must be read from its beginning.

    Reads ``file`` as far as that, and moves its position. All pages up to the entry are sound:
    behind one that is not, the decoder's count and that of the pages part.

    Args:
        file: an Ogg file.
        sample: 0 to ``n_samples`` - 1.
        n_samples: the length that libsndfile states.
        is_given_up: asked at every page; True ends the search.
    """
    pages = _pages(file, is_given_up)
    header_end = _header_end(pages)
    if header_end is None or read_at(file, _HEAD.size + 1, len(_VORBIS)) != _VORBIS:
        return None
    # The decoder trims the last page by what it knows from the one before: an entry needs both.
    entry = candidate = None
    n_before = 0
    for page in pages:
        entry = candidate or entry
        candidate = None
        if page.granule > sample:
            break
        if not page.is_continued and page.granule >= n_before > 0:
            candidate = page, range(n_before, page.granule + 1)
        n_before = max(n_before, page.granule)
    if entry is None:
        return None
    page, first_frames = entry
    return Entry(
        header=read_at(file, 0, header_end),
        offset=page.offset,
        first_frames=first_frames,
        stated_end=n_samples,
    )


def _header_end(pages: Iterator[_Page]) -> int | None:
    """The file offset of the page with which the audio begins; takes the pages before it."""
    n_packets = 0
    for page in pages:
        n_packets += page.n_packets
        if n_packets >= _N_HEADER_PACKETS or page.end > MAX_HEADER_BYTES:
            is_end = n_packets == _N_HEADER_PACKETS and page.end <= MAX_HEADER_BYTES
            return page.end if is_end else None
    return None


def _pages(file: io.BufferedIOBase, is_given_up: Callable[[], bool]) -> Iterator[_Page]:
    """The pages of ``file``, as long as they are sound, of one stream, and none is missing."""
    chunk, chunk_offset, offset = b"", 0, 0
    serial_and_number = None
    while not is_given_up():
        page = _page_at(chunk, offset - chunk_offset)
        if not page:
            chunk, chunk_offset = read_at(file, offset, _CHUNK_BYTES), offset
            page = _page_at(chunk, 0)
        if not page or not _is_sound(page):
            return
        _, flags, granule, serial, number, _, n_segments = _HEAD.unpack_from(page)
        is_first = serial_and_number is None
        if is_first != bool(flags & _BEGINNING) or serial_and_number not in (
            None,
            (serial, number),
        ):
            return
        serial_and_number = serial, number + 1
        lacing = page[_HEAD.size : _HEAD.size + n_segments]
        yield _Page(
            offset=offset,
            end=offset + len(page),
            is_continued=bool(flags & _CONTINUED),
            granule=granule,
            n_packets=n_segments - lacing.count(255),
        )
        offset += len(page)


def _page_at(chunk: bytes, place: int) -> bytes:
    """The page at ``place``, empty if it is not all there."""
    head = chunk[place : place + _HEAD.size]
    if len(head) < _HEAD.size or not head.startswith(_CAPTURE):
        return b""
    body = place + _HEAD.size + head[-1]
    end = body + sum(chunk[place + _HEAD.size : body])
    return chunk[place:end] if end <= len(chunk) else b""


def _is_sound(page: bytes) -> bool:
    """Whether the checksum of ``page`` agrees, which was computed with zeros in its place.

    It is zlib's with the bits of all bytes, and its own, in reverse order, from 0 on.
    """
    checksum = slice(_CHECKSUM_OFFSET, _CHECKSUM_OFFSET + 4)
    blank = page[: checksum.start] + bytes(4) + page[checksum.stop :]
    crc = zlib.crc32(blank.translate(_REVERSED_BITS), _ALL_ONES) ^ _ALL_ONES
    return crc.to_bytes(4, "big").translate(_REVERSED_BITS) == page[checksum]
