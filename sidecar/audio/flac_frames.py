"""The frames of FLAC files, each of which states its place in the audio and can be decoded alone.

Format: RFC 9639.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from itertools import pairwise

from sidecar.audio.entry import Entry, id3_tag_bytes, read_at

_MARKER = b"fLaC"
_STREAMINFO_BYTES = 34
_STREAMINFO_LENGTH = _STREAMINFO_BYTES.to_bytes(3, "big")
_MAX_METADATA_BLOCKS = 1000

# Fifteen bits, then whether the block size varies.
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
# Its longest form: a number of 7 bytes, a block size and a sample rate of 2 each, and the CRC.
_MAX_HEADER_BYTES = 4 + 7 + 2 + 2 + 1
_SAMPLE_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_RATES_HZ = dict(
    enumerate(
        (88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000),
        start=1,
    )
)

# How far behind a place the next frame is looked for, in pieces of this size.
_MAX_FRAME_BYTES, _PIECE_BYTES = 1 << 18, 1 << 13
# A hostile file can be all such bytes as a frame begins with: there are a dozen in a sound one.
_MAX_CANDIDATES = 10_000
# The search ends so near before the frame that is wanted, after rounds with so many probes each.
_NEAR_BYTES, _N_PROBES, _MAX_ROUNDS = 1 << 16, 7, 12


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a frame lies: its file offset, and its first sample's place in the audio."""

    offset: int
    sample: int


def find_flac_entry(file: io.BufferedIOBase, sample: int) -> Entry | None:
    """Where to enter ``file`` for ``sample``; None if it must be read from its beginning.

    Reads some hundred KB, and moves the file's position.
    """
    stream = _FlacStream.read(file)
    frame = None if stream is None else stream.frame_before(sample)
    if stream is None or frame is None or not stream.is_intact(frame):
        return None
    # The decoder counts by the frames' own numbers: the stated total stays true. STREAMINFO is
    # shown as the last block of metadata.
    return Entry(
        header=_MARKER + b"\x80" + _STREAMINFO_LENGTH + stream.info,
        offset=frame.offset,
        first_frames=range(frame.sample, frame.sample + 1),
        stated_end=frame.sample + stream.n_samples,
    )


class _FlacStream:
    """A FLAC file whose frames can be found by their numbers.

    Args:
        file: its position is moved.
        info: the body of STREAMINFO.
        audio_offset: where the first frame lies.

    Attributes:
        info: as above.
        n_samples: the length that it states.
    """

    def __init__(self, file: io.BufferedIOBase, info: bytes, audio_offset: int) -> None:
        self._file = file
        self._n_bytes = file.seek(0, io.SEEK_END)
        self._n_candidates = 0
        self._first = _Frame(audio_offset, 0)
        self._is_variable = read_at(file, audio_offset, 2)[1:] == b"\xf9"
        self._min_block, self._max_block = info[:2], info[2:4]
        fields = int.from_bytes(info[10:18], "big")  # of 20, 3, 5 and 36 bits
        self._rate_hz = fields >> 44
        self._n_channels = (fields >> 41 & 0x7) + 1
        self._n_bits = (fields >> 36 & 0x1F) + 1
        self.n_samples = fields & (1 << 36) - 1
        self.info = info

    @classmethod
    def read(cls, file: io.BufferedIOBase) -> _FlacStream | None:
        """Read the metadata of ``file``; None if its frames cannot be found."""
        start = id3_tag_bytes(file)
        # STREAMINFO, of type 0, is the first block, and may be the last.
        head = read_at(file, start, 8 + _STREAMINFO_BYTES)
        is_whole = len(head) == 8 + _STREAMINFO_BYTES and head[:4] == _MARKER
        if not is_whole or head[4] & 0x7F or head[5:8] != _STREAMINFO_LENGTH:
            return None
        offset = start + len(_MARKER)
        for _ in range(_MAX_METADATA_BLOCKS):
            block = read_at(file, offset, 4)
            offset += 4 + int.from_bytes(block[1:], "big")
            if block[:1] >= b"\x80":
                stream = cls(file, head[8:], offset)
                return stream if stream._is_numbered() else None
        return None

    def _is_numbered(self) -> bool:
        """Whether the frames count the samples of a known total from 0 on."""
        has_numbers = self._is_variable or self._min_block == self._max_block
        first = self._next_frame(self._first.offset, self._first.offset + 1)
        return has_numbers and self.n_samples > 0 and first == self._first

    def frame_before(self, sample: int) -> _Frame | None:
        """A frame shortly before ``sample``, None where the frames contradict one another.

        Probes between two known frames show between which of them it lies. Several in each round
        show where files were joined: the numbers of the frames then do not rise.
        """
        low, high = self._first, _Frame(self._n_bytes, self.n_samples)
        for _ in range(_MAX_ROUNDS):
            width = high.offset - low.offset
            if width <= _NEAR_BYTES:
                break
            marks = [low]
            for probe in range(1, _N_PROBES + 1):
                offset = low.offset + width * probe // (_N_PROBES + 1)
                frame = self._next_frame(offset, high.offset)
                if frame is not None and frame != marks[-1]:
                    marks.append(frame)
            marks.append(high)
            if any(mark.sample >= following.sample for mark, following in pairwise(marks)):
                return None
            low, high = next(pair for pair in pairwise(marks) if pair[1].sample > sample)
        return low

    def is_intact(self, frame: _Frame) -> bool:
        """Whether the checksum of ``frame`` agrees: it is none that only looks like one."""
        following = self._next_frame(frame.offset + 1, self._n_bytes)
        end = self._n_bytes if following is None else following.offset
        data = read_at(self._file, frame.offset, min(end - frame.offset, _MAX_FRAME_BYTES))
        return _crc_16(data) == 0

    def _next_frame(self, offset: int, end: int) -> _Frame | None:
        """The first frame that begins between ``offset`` and ``end``, and not too far away."""
        end = min(end, offset + _MAX_FRAME_BYTES)
        for piece_offset in range(offset, end, _PIECE_BYTES):
            n_bytes = min(_PIECE_BYTES, end - piece_offset)
            piece = read_at(self._file, piece_offset, n_bytes + _MAX_HEADER_BYTES)
            for match in _SYNC.finditer(piece, 0, n_bytes + 1):
                self._n_candidates += 1
                if self._n_candidates > _MAX_CANDIDATES:
                    return None
                sample = self._sample_of(piece[match.start() :][:_MAX_HEADER_BYTES])
                if sample is not None:
                    return _Frame(piece_offset + match.start(), sample)
        return None

    def _sample_of(self, header: bytes) -> int | None:
        """The place in the audio that a frame's header states, None if it is no such header."""
        if len(header) < _MAX_HEADER_BYTES or (header[1] == 0xF9) != self._is_variable:
            return None
        number, n_bytes = _coded_number(header[4:])
        block_code, rate_code = header[2] >> 4, header[2] & 0xF
        channel_code, bits_code = header[3] >> 4, header[3] >> 1 & 0x7
        # A block size or a rate that has no code follows the number.
        n_bytes += 4 + {6: 1, 7: 2}.get(block_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        n_channels = channel_code + 1 if channel_code < 8 else 2
        is_header = (
            _RATES_HZ.get(rate_code, self._rate_hz) == self._rate_hz
            and n_channels == self._n_channels
            and (bits_code == 0 or _SAMPLE_BITS.get(bits_code) == self._n_bits)
            and _crc_8(header[: n_bytes + 1]) == 0
        )
        if not is_header:
            return None
        return number if self._is_variable else number * int.from_bytes(self._min_block, "big")


def _coded_number(data: bytes) -> tuple[int, int]:
    """The number at the beginning of ``data``, coded as in UTF-8, and the count of its bytes.

    Whether the bytes that follow the first are such as UTF-8 has is left to the checksum.
    """
    n_ones = 8 - (data[0] ^ 0xFF).bit_length()
    number = data[0] & 0x7F >> n_ones
    for byte in data[1:n_ones]:
        number = number << 6 | byte & 0x3F
    return number, max(1, n_ones)


def _crc_table(n_bits: int, polynomial: int) -> list[int]:
    """What each byte makes of a checksum that is 0; the highest bit comes first."""
    table = [byte << n_bits - 8 for byte in range(256)]
    for _ in range(8):
        table = [crc << 1 ^ (polynomial if crc >> n_bits - 1 else 0) for crc in table]
    return table


_CRC_8_TABLE = _crc_table(8, 0x107)
_CRC_16_TABLE = _crc_table(16, 0x18005)


def _crc_8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC_8_TABLE[crc ^ byte]
    return crc


def _crc_16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc & 0xFF) << 8 ^ _CRC_16_TABLE[crc >> 8 ^ byte]
    return crc
