"""The checksums of FLAC's frames, beside the division of polynomials that they are."""

from __future__ import annotations

import numpy as np
import pytest

from sidecar.audio.formats.flac_checksums import crc_8, crc_16

SOME = np.random.default_rng(0).integers(0, 256, 5_000, np.uint8).tobytes()


def remainder(data, n_bits, polynomial):
    """Of ``data`` as a polynomial, the highest power first, with ``n_bits`` zeros behind it."""
    number = int.from_bytes(data, "big") << n_bits
    while number.bit_length() > n_bits:
        number ^= polynomial << number.bit_length() - n_bits - 1
    return number


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 63, 64, 65, 128, 400])
def test_a_checksum_is_the_remainder(n_bytes):
    data = SOME[:n_bytes]
    assert crc_8(data) == remainder(data, 8, 0x107)
    assert crc_16(data) == remainder(data, 16, 0x18005)


@pytest.mark.parametrize("n_bytes", [0, 1, 63, 64, 65, 127, 128, 1_000, 4_999])
def test_a_frame_in_two_parts_has_the_checksum_of_the_whole(n_bytes):
    assert crc_16(SOME[n_bytes:], crc_16(SOME[:n_bytes])) == crc_16(SOME)


def test_with_its_own_checksum_behind_it_it_is_0():
    assert crc_16(SOME + crc_16(SOME).to_bytes(2, "big")) == 0
    assert crc_8(SOME + bytes([crc_8(SOME)])) == 0
