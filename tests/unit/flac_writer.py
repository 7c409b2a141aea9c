"""A FLAC encoder for tests: samples as they are, of any number of bits."""

import struct

import numpy as np

from sidecar.audio.formats.flac_checksums import crc_8, crc_16

_BITS_CODES = {8: 1, 12: 2, 16: 4, 20: 5, 24: 6}


def flac_of(samples, rate_hz, *, bits=16, block=4_096, as_frames=False):
    """``samples``, shape (n,) and full scale 1.0, as a FLAC; or its header and each frame."""
    integers = np.round(samples * (1 << bits - 1)).astype(np.int64)
    fields = rate_hz << 44 | (bits - 1) << 36 | len(integers)
    info = struct.pack(">HH6x", block, block) + fields.to_bytes(8, "big") + bytes(16)
    parts = [b"fLaC\x80\x00\x00\x22" + info]
    for number, start in enumerate(range(0, len(integers), block)):
        parts.append(_frame(number, integers[start : start + block], rate_hz, bits))
    return parts if as_frames else b"".join(parts)


def _frame(number, integers, rate_hz, bits):
    # Sizes of 16 bits follow the number, and so does a rate in Hz, if it fits.
    header = b"\xff\xf8" + bytes([0x7 << 4 | 0xD, _BITS_CODES.get(bits, 0) << 1])
    header += chr(number).encode() + struct.pack(">HH", len(integers) - 1, rate_hz)
    header += bytes([crc_8(header)])
    # One subframe: a zero, six bits for "verbatim", and that no bits are wasted.
    mask = (1 << bits) - 1
    body = 0b00000010
    for value in integers:
        body = body << bits | int(value) & mask
    n_bits = 8 + bits * len(integers)
    n_bytes = -(-n_bits // 8)
    frame = header + (body << 8 * n_bytes - n_bits).to_bytes(n_bytes, "big")
    return frame + crc_16(frame).to_bytes(2, "big")
