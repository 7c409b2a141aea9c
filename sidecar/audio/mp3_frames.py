"""The frames of MP3 files, which do not state their place: their headers are read to count them.

Formats: ISO/IEC 11172-3 and 13818-3 (MPEG 1 and 2, layer III), MPEG 2.5; the tag named Xing or
Info, a first frame without audio that states how many follow.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from sidecar.audio.entry import Entry, id3_tag_bytes, read_at

_HEADER_BYTES = 4
# The fourth byte of a header from which on there is one channel.
_MONO = 0xC0
# By the two bits that state the version: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5.
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)

# The data of a frame begin up to so many bytes before it, among those of the frames before it.
_RESERVOIR_BYTES_MPEG_1, _RESERVOIR_BYTES_MPEG_2 = 511, 255
# Enough for the reservoir at any bitrate, and for the overlap of the frames' samples.
_WARM_UP_FRAMES = 32
_WARM_UP_BYTES = 4096
# The filter's buffer is a ring of 16, and moves by 18 or 36 with each frame. Its phase decides on
# the order of sums, and so on the last bit of the samples.
_SYNTHESIS_FRAMES = 8
_CHUNK_BYTES = 1 << 18

# The beginning of a tag: its name, flags, the count of frames, and that of bytes.
_TAG_BYTES = 16
_HAS_N_FRAMES, _HAS_N_BYTES = 1, 2
_MAX_COUNT = 0xFFFF_FFFF
# Of 128 or 80 kbit/s: a frame that has space for a tag.
_TAG_BITRATE_CODE = 9
# What libmpg123 drops of the audio behind a tag that states no encoder's delay.
_DECODER_DELAY = 529


def find_mp3_entry(
    file: io.BufferedIOBase, sample: int, n_samples: int, is_given_up: Callable[[], bool]
) -> Entry | None:
    """Where to enter ``file`` for ``sample``; None if it must be read from its beginning.

    Reads ``file`` as far as that, and moves its position.

    Args:
        file: the MP3 file.
        sample: 0 to ``n_samples`` - 1.
        n_samples: the length that libsndfile states: an estimate where the file has no tag.
        is_given_up: asked between chunks of the file; True ends the search.
    """
    start = id3_tag_bytes(file)
    layout = _Layout.of(read_at(file, start, _HEADER_BYTES))
    if layout is None:
        return None
    n_skipped = sample // layout.frame_samples - _WARM_UP_FRAMES
    n_skipped -= n_skipped % _SYNTHESIS_FRAMES
    first = read_at(file, start, layout.frame_bytes(layout.header))
    if n_skipped <= 0:
        return None
    if layout.is_tag(first):
        start += len(first)
        tag, delay, stated_end = first, 0, n_samples
    elif any(name in first for name in (b"Xing", b"Info", b"VBRI")):
        return None
    else:
        n_frames = n_samples // layout.frame_samples + 1
        tag = layout.new_tag(n_frames, file.seek(0, io.SEEK_END) - start)
        delay, stated_end = _DECODER_DELAY, n_frames * layout.frame_samples
    offset = _skip(file, start, n_skipped, layout, is_given_up)
    if offset is None or _skip(file, offset, _WARM_UP_FRAMES, layout, is_given_up) is None:
        return None
    silent = layout.silenced(read_at(file, offset, _WARM_UP_BYTES))
    first_sample = n_skipped * layout.frame_samples + delay
    return Entry(
        header=layout.shortened(tag, n_skipped, offset - start) + silent,
        offset=offset + len(silent),
        first_frames=range(first_sample, first_sample + 1),
        stated_end=stated_end,
    )


def _skip(
    file: io.BufferedIOBase,
    offset: int,
    n_frames: int,
    layout: _Layout,
    is_given_up: Callable[[], bool],
) -> int | None:
    """Where the frame lies that is ``n_frames`` behind that at ``offset``; None if one is odd."""
    chunk, chunk_offset = b"", offset
    for _ in range(n_frames):
        place = offset - chunk_offset
        if place + _HEADER_BYTES > len(chunk):
            if is_given_up():
                return None
            chunk, chunk_offset, place = read_at(file, offset, _CHUNK_BYTES), offset, 0
        n_bytes = layout.frame_bytes(chunk[place : place + _HEADER_BYTES])
        if not n_bytes:
            return None
        offset += n_bytes
    return offset


class _Layout:
    """What all frames of a file have in common with its first.

    Attributes:
        header: of the first frame.
        frame_samples: how many samples a frame has.
    """

    def __init__(self, header: bytes) -> None:
        version, rate_code = header[1] >> 3 & 3, header[2] >> 2 & 3
        is_mpeg_1, self._is_mono = version == 3, header[3] >= _MONO
        self.header = header
        self.frame_samples = 1152 if is_mpeg_1 else 576
        if is_mpeg_1:
            self._side_bytes = 17 if self._is_mono else 32
        else:
            self._side_bytes = 9 if self._is_mono else 17
        self._reservoir_bytes = _RESERVOIR_BYTES_MPEG_1 if is_mpeg_1 else _RESERVOIR_BYTES_MPEG_2
        # The second byte of the side information still has a bit of the place in the reservoir.
        self._second_byte_mask = 0x80 if is_mpeg_1 else 0
        # Frames' lengths by the third byte of their header, 0 for those that do not fit.
        self._lengths = [0] * 256
        for code, kbits in enumerate(_KBITS_MPEG_1 if is_mpeg_1 else _KBITS_MPEG_2, start=1):
            n_bytes = self.frame_samples // 8 * kbits * 1000 // _RATES_HZ[version][rate_code]
            for padding in (0, 1):
                for private in (0, 1):
                    third = code << 4 | rate_code << 2 | padding << 1 | private
                    self._lengths[third] = n_bytes + padding

    @classmethod
    def of(cls, header: bytes) -> _Layout | None:
        """By the header of the first frame; None if it is not one of layer III."""
        is_layer_3 = (
            len(header) == _HEADER_BYTES
            and header[0] == 0xFF
            and header[1] & 0xE7 == 0xE3  # without a checksum, which silenced frames would break
            and header[1] >> 3 & 3 in _RATES_HZ
            and header[2] >> 2 & 3 != 3
        )
        layout = cls(header) if is_layer_3 else None
        return layout if layout is not None and layout.frame_bytes(header) else None

    def frame_bytes(self, header: bytes) -> int:
        """The length of the frame with this header, 0 if it does not fit the first."""
        if len(header) < _HEADER_BYTES or header[:2] != self.header[:2]:
            return 0
        return self._lengths[header[2]] if (header[3] >= _MONO) == self._is_mono else 0

    def is_tag(self, frame: bytes) -> bool:
        """Whether a frame is a tag that states a count of frames."""
        tag = frame[_HEADER_BYTES + self._side_bytes :][:_TAG_BYTES]
        is_named = len(tag) == _TAG_BYTES and tag[:4] in (b"Xing", b"Info")
        return is_named and bool(tag[7] & _HAS_N_FRAMES)

    def new_tag(self, n_frames: int, n_bytes: int) -> bytes:
        """A tag, itself a frame, for a file of so many other frames and bytes."""
        third = _TAG_BITRATE_CODE << 4 | self.header[2] & 0x0C
        head = self.header[:2] + bytes((third, self.header[3])) + bytes(self._side_bytes)
        tag_bytes = self._lengths[third]
        counts = (min(n, _MAX_COUNT) for n in (n_frames, n_bytes + tag_bytes))
        fields = struct.pack(">III", _HAS_N_FRAMES | _HAS_N_BYTES, *counts)
        return (head + b"Xing" + fields).ljust(tag_bytes, b"\0")

    def shortened(self, tag: bytes, n_frames: int, n_bytes: int) -> bytes:
        """``tag`` for so many frames and bytes less."""
        offset = _HEADER_BYTES + self._side_bytes + 4
        flags, frames_left, bytes_left = struct.unpack_from(">III", tag, offset)
        frames_left = max(0, frames_left - n_frames)
        if flags & _HAS_N_BYTES:
            bytes_left = max(0, bytes_left - n_bytes)
        shortened = bytearray(tag)
        struct.pack_into(">III", shortened, offset, flags, frames_left, bytes_left)
        return bytes(shortened)

    def silenced(self, data: bytes) -> bytes:
        """The frames at the beginning of ``data`` that lack what they take from those before.

        They are left as a reservoir for the frames that follow, but have no data themselves: the
        decoder would complain of what it misses.
        """
        silent = bytearray()
        n_free = 0
        while n_free < self._reservoir_bytes:
            place = len(silent)
            n_bytes = self.frame_bytes(data[place : place + _HEADER_BYTES])
            if not n_bytes or place + n_bytes > len(data):
                break
            silent += data[place : place + n_bytes]
            side = place + _HEADER_BYTES
            kept = bytes((silent[side], silent[side + 1] & self._second_byte_mask))
            silent[side : side + self._side_bytes] = kept.ljust(self._side_bytes, b"\0")
            n_free += n_bytes - _HEADER_BYTES - self._side_bytes
        return bytes(silent)
