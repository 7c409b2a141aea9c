"""The headers of MPEG audio frames, which state their length, but not their place.

Formats: ISO/IEC 11172-3 and 13818-3 (MPEG 1 and 2, layers I to III), MPEG 2.5; the tag named Xing
or Info, a first frame without audio that states how many follow, and LAME's part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

HEADER_BYTES = 4
# The fourth byte of a header from which on there is one channel.
_MONO = 0xC0
# By the two bits that state the version: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5.
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# By the two bits that state the layer: 3 is layer I, 2 is II, 1 is III.
_KBITS_MPEG_1 = {
    3: tuple(range(32, 449, 32)),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBITS_MPEG_2 = {
    3: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    1: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_LAYER_III = 1
# A tag's name, flags, and the fields that they announce: counts of frames and bytes, a table of
# contents, the quality.
_FIELD_BYTES = {1: 4, 2: 4, 4: 100, 8: 4}
_HAS_N_FRAMES = 1
# Behind them: the encoder's name, nine bytes of its settings, and 12 bits each for the samples that
# it has put in front of the audio and behind it.
_DELAY_OFFSET = 21
# What a decoder adds in front.
_DECODER_DELAY = 529


@dataclass(frozen=True, slots=True)
class Tag:
    """What a frame without audio states of those that follow.

    Attributes:
        n_frames: how many there are; None: it does not say.
        n_front: samples to drop at the beginning.
        n_behind: samples to drop at the end.
    """

    n_frames: int | None
    n_front: int
    n_behind: int


class Layout:
    """What all frames of a run have in common with its first.

    Attributes:
        header: of the first frame.
        frame_samples: how many samples a frame has.
        sample_rate_hz: the rate.
        channels: one or two.
        layer: 1 to 3.
    """

    def __init__(self, header: bytes) -> None:
        version, layer_bits, rate_code = header[1] >> 3 & 3, header[1] >> 1 & 3, header[2] >> 2 & 3
        is_mpeg_1, self._is_mono = version == 3, header[3] >= _MONO
        self.header = header
        self.layer = 4 - layer_bits
        self.frame_samples = 384 if self.layer == 1 else 1152
        if self.layer == 3 and not is_mpeg_1:
            self.frame_samples = 576
        self.sample_rate_hz = _RATES_HZ[version][rate_code]
        self.channels = 1 if self._is_mono else 2
        if is_mpeg_1:
            self._side_bytes = 17 if self._is_mono else 32
        else:
            self._side_bytes = 9 if self._is_mono else 17
        # Side information begins with how many bytes before the frame its data begin: 9 or 8 bits.
        self._reservoir_shift = 7 if is_mpeg_1 else 8
        # Frames' lengths by the third byte of their header, 0 for those that do not fit.
        self._lengths = [0] * 256
        slot_bytes = 4 if self.layer == 1 else 1
        kbits = (_KBITS_MPEG_1 if is_mpeg_1 else _KBITS_MPEG_2)[layer_bits]
        for code, rate_kbit in enumerate(kbits, start=1):
            bits = self.frame_samples * rate_kbit * 1000
            n_slots = bits // (8 * slot_bytes * self.sample_rate_hz)
            for padding in (0, 1):
                for private in (0, 1):
                    third = code << 4 | rate_code << 2 | padding << 1 | private
                    self._lengths[third] = (n_slots + padding) * slot_bytes

    def frame_bytes(self, header: bytes) -> int:
        """The length of the frame with this header, 0 if it does not fit the first."""
        if len(header) < HEADER_BYTES or header[:2] != self.header[:2]:
            return 0
        return self._lengths[header[2]] if (header[3] >= _MONO) == self._is_mono else 0

    @property
    def can_be_silenced(self) -> bool:
        """Whether ``silenced`` understands these frames: of layer III, without checksums."""
        return self.layer == 3 and self.header[1] & 1 == 1

    @property
    def tag_offset(self) -> int:
        """Where a frame has the name of a tag, if it is one."""
        checksum_bytes = 0 if self.header[1] & 1 else 2
        return HEADER_BYTES + checksum_bytes + self._side_bytes

    def tag(self, frame: bytes) -> Tag | None:
        """The tag that ``frame`` is, if it is one."""
        if self.layer != 3:
            return None
        place = self.tag_offset
        if frame[place : place + 4] not in (b"Xing", b"Info"):
            # Fraunhofer's has a place of its own, and no such fields.
            is_vbri = frame[HEADER_BYTES + 32 : HEADER_BYTES + 36] == b"VBRI"
            stated = int.from_bytes(frame[HEADER_BYTES + 46 : HEADER_BYTES + 50], "big")
            return Tag(stated, 0, 0) if is_vbri else None
        flags = int.from_bytes(frame[place + 4 : place + 8], "big")
        n_frames = None
        if flags & _HAS_N_FRAMES:
            n_frames = int.from_bytes(frame[place + 8 : place + 12], "big")
        place += 8 + sum(size for flag, size in _FIELD_BYTES.items() if flags & flag)
        delays = frame[place + _DELAY_OFFSET : place + _DELAY_OFFSET + 3]
        front, behind = divmod(int.from_bytes(delays.ljust(3, b"\0"), "big"), 1 << 12)
        return Tag(n_frames, front + _DECODER_DELAY, max(0, behind - _DECODER_DELAY))

    def silenced(self, data: bytes) -> bytes:
        """The frames at the beginning of ``data`` that lack what they take from those before.

        They are left as a reservoir for the frames that follow, but have no data themselves: the
        decoder would make noise of it.
        """
        silent = bytearray()
        n_free = 0
        while self.can_be_silenced:
            place = len(silent)
            n_bytes = self.frame_bytes(data[place : place + HEADER_BYTES])
            side = place + HEADER_BYTES
            if not n_bytes or place + n_bytes > len(data):
                break
            n_before = (data[side] << 8 | data[side + 1]) >> self._reservoir_shift
            if n_before <= n_free:
                break
            silent += data[place : place + n_bytes]
            # How far it reaches back stays: by that, what it hands on reaches as far.
            kept = bytes((silent[side], silent[side + 1] & 0xFF << self._reservoir_shift & 0xFF))
            silent[side : side + self._side_bytes] = kept.ljust(self._side_bytes, b"\0")
            n_free += n_bytes - HEADER_BYTES - self._side_bytes
        return bytes(silent)


def layout_of(header: bytes) -> Layout | None:
    """The layout of frames with this header; None: it is none."""
    is_frame = (
        len(header) == HEADER_BYTES
        and header[0] == 0xFF
        and header[1] & 0xE0 == 0xE0
        and header[1] >> 3 & 3 in _RATES_HZ
        and header[1] >> 1 & 3 != 0
        and header[2] >> 2 & 3 != 3
        and 0 < header[2] >> 4 < 15
    )
    if not is_frame:
        return None
    # All headers of one layout share the same object: in a broken file they take turns.
    return _layout(
        bytes((0xFF, header[1], header[2] & 0x0C | 0x10, 0xC0 if header[3] >= _MONO else 0))
    )


@cache
def _layout(header: bytes) -> Layout:
    return Layout(header)
