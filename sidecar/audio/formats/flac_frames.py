"""The headers of FLAC: STREAMINFO, and those of the frames, each of which states its place.

Format: RFC 9639.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.flac_checksums import crc_8

MARKER = b"fLaC"
_STREAMINFO_BYTES = 34
_STREAMINFO_LENGTH = _STREAMINFO_BYTES.to_bytes(3, "big")
_MAX_METADATA_BLOCKS = 1000

# Fifteen bits, then whether the block size varies.
SYNC = re.compile(rb"\xff[\xf8\xf9]")
# Its longest form: a number of 7 bytes, a block size and a sample rate of 2 each, and the CRC.
MAX_HEADER_BYTES = 4 + 7 + 2 + 2 + 1
_SAMPLE_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_RATES_HZ = dict(
    enumerate(
        (88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000),
        start=1,
    )
)
_BLOCK_SAMPLES = {1: 192, **{code: 144 << code for code in range(2, 6)}} | {
    code: 1 << code for code in range(8, 16)
}


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What STREAMINFO states of a stream, and frames may leave out.

    Attributes:
        min_block: how many samples its frames have at least.
        max_block: how many they have at most.
        max_frame_bytes: how long a frame is at most; 0: it does not say.
        sample_rate_hz: the rate.
        channels: the channels.
        bits: of each sample.
        n_samples: how many there are of each channel; 0: it does not say.
    """

    min_block: int
    max_block: int
    max_frame_bytes: int
    sample_rate_hz: int
    channels: int
    bits: int
    n_samples: int

    @classmethod
    def of(cls, body: bytes) -> StreamInfo:
        """Read the body of a STREAMINFO."""
        fields = int.from_bytes(body[10:18], "big")  # of 20, 3, 5 and 36 bits
        return cls(
            min_block=int.from_bytes(body[:2], "big"),
            max_block=int.from_bytes(body[2:4], "big"),
            max_frame_bytes=int.from_bytes(body[7:10], "big"),
            sample_rate_hz=fields >> 44,
            channels=(fields >> 41 & 0x7) + 1,
            bits=(fields >> 36 & 0x1F) + 1,
            n_samples=fields & (1 << 36) - 1,
        )

    def most_bytes(self, n_samples: int) -> int:
        """How long the frames of so many samples of each channel are at most."""
        # Stored as it is, a sample of a side channel takes a bit more; then there are the header,
        # the subframes' headers, and the CRC.
        plain = -(-self.max_block * self.channels * (self.bits + 1) // 8)
        longest = self.max_frame_bytes or plain + MAX_HEADER_BYTES + 8 * self.channels + 2
        return -(-n_samples // max(1, self.min_block)) * longest

    def as_header(self) -> bytes:
        """The beginning of a file with these values, whose length and checksum are not known."""
        fields = self.sample_rate_hz << 44 | (self.channels - 1) << 41 | (self.bits - 1) << 36
        blocks = self.min_block.to_bytes(2, "big") + self.max_block.to_bytes(2, "big")
        body = blocks + bytes(6) + fields.to_bytes(8, "big") + bytes(16)
        return MARKER + b"\x80" + _STREAMINFO_LENGTH + body


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the header of a frame states; None: as STREAMINFO says.

    Attributes:
        number: its place: of its first sample if ``is_variable``, or among the frames.
        n_samples: how many it has of each channel.
    """

    number: int
    n_samples: int
    is_variable: bool
    sample_rate_hz: int | None
    channels: int
    bits: int | None

    def fits(self, info: StreamInfo, *, is_variable: bool) -> bool:
        """Whether it can be a frame of the stream that ``info`` describes."""
        return (
            self.is_variable == is_variable
            and self.sample_rate_hz in (None, info.sample_rate_hz)
            and self.channels == info.channels
            and self.bits in (None, info.bits)
        )

    def sample(self, info: StreamInfo) -> int:
        """The place of its first sample in the audio."""
        return self.number if self.is_variable else self.number * info.min_block


def read_metadata(source: AudioBytes, start: int) -> tuple[StreamInfo, int] | None:
    """The STREAMINFO of the stream at ``start``, and where its audio begins; None: there is none.

    STREAMINFO, of type 0, is the first block, and may be the last.
    """
    head = source.at(start, 8 + _STREAMINFO_BYTES)
    is_whole = len(head) == 8 + _STREAMINFO_BYTES and head[:4] == MARKER
    if not is_whole or head[4] & 0x7F or head[5:8] != _STREAMINFO_LENGTH:
        return None
    offset = start + len(MARKER)
    for _ in range(_MAX_METADATA_BLOCKS):
        block = source.at(offset, 4)
        offset += 4 + int.from_bytes(block[1:], "big")
        if block[:1] >= b"\x80":
            return StreamInfo.of(head[8:]), offset
    return None


def frame_headers(data: bytes, end: int) -> Iterator[tuple[int, FrameHeader | None]]:
    """All that may be frames in ``data`` and begin before ``end``: their place, and their header.

    The header is None where the bytes only begin like one.
    """
    for match in SYNC.finditer(data, 0, end + 1):
        yield match.start(), read_frame_header(data[match.start() :][:MAX_HEADER_BYTES])


def read_frame_header(data: bytes) -> FrameHeader | None:
    """The header of a frame at the beginning of ``data``; None: it is none, by its checksum."""
    n_there = len(data)
    data = data.ljust(MAX_HEADER_BYTES, b"\0")
    if data[0] != 0xFF or data[1] & 0xFE != 0xF8:
        return None
    number, n_bytes = coded_number(data[4:])
    n_bytes += 4
    block_code, rate_code = data[2] >> 4, data[2] & 0xF
    channel_code, bits_code = data[3] >> 4, data[3] >> 1 & 0x7
    # A block size or a rate that has no code follows the number.
    n_samples = _BLOCK_SAMPLES.get(block_code, 0)
    if block_code in (6, 7):
        width = block_code - 5
        n_samples = int.from_bytes(data[n_bytes : n_bytes + width], "big") + 1
        n_bytes += width
    rate_hz = _RATES_HZ.get(rate_code)
    if rate_code in (12, 13, 14):
        width = 1 if rate_code == 12 else 2
        stated = int.from_bytes(data[n_bytes : n_bytes + width], "big")
        rate_hz = stated * {12: 1000, 13: 1, 14: 10}[rate_code]
        n_bytes += width
    is_sound = (
        n_bytes < n_there
        and n_samples > 0
        and rate_code != 15
        and channel_code < 11
        and bits_code != 3
        and data[3] & 1 == 0
        and crc_8(data[: n_bytes + 1]) == 0
    )
    if not is_sound:
        return None
    return FrameHeader(
        number=number,
        n_samples=n_samples,
        is_variable=data[1] == 0xF9,
        sample_rate_hz=rate_hz,
        channels=channel_code + 1 if channel_code < 8 else 2,
        bits=_SAMPLE_BITS.get(bits_code),
    )


def coded_number(data: bytes) -> tuple[int, int]:
    """The number at the beginning of ``data``, coded as in UTF-8, and the count of its bytes.

    Whether the bytes that follow the first are such as UTF-8 has is left to the checksum.
    """
    n_ones = 8 - (data[0] ^ 0xFF).bit_length()
    number = data[0] & 0x7F >> n_ones
    for byte in data[1:n_ones]:
        number = number << 6 | byte & 0x3F
    return number, max(1, n_ones)
