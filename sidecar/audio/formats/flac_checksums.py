"""The checksums of FLAC's frames (RFC 9639, sections 9.1.8 and 9.3)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

# So many bytes are taken at once; for fewer it does not pay.
_ROW_BYTES = 64


def crc_8(data: bytes) -> int:
    """The checksum of a frame's header; 0 if it includes its own."""
    crc = 0
    for byte in data:
        crc = _CRC_8_TABLE[crc ^ byte]
    return crc


def crc_16(data: bytes, crc: int = 0) -> int:
    """The checksum of a frame; 0 if it includes its own. ``crc``: of what precedes ``data``."""
    n_rows, n_first = divmod(len(data), _ROW_BYTES)
    for byte in data[:n_first]:
        crc = (crc & 0xFF) << 8 ^ _CRC_16_TABLE[crc >> 8 ^ byte]
    if not n_rows:
        return crc
    # A checksum is linear: that of a row is the sum of what each byte at its place makes of it, and
    # what precedes the row counts as if it were added to its first two bytes.
    effects = _row_effects()
    rows = np.frombuffer(data, np.uint8, offset=n_first).reshape(n_rows, _ROW_BYTES)
    alone = np.bitwise_xor.reduce(effects[np.arange(_ROW_BYTES), rows], axis=1)
    of_high, of_low = effects[0].tolist(), effects[1].tolist()
    for row in alone.tolist():
        crc = of_high[crc >> 8] ^ of_low[crc & 0xFF] ^ row
    return crc


def _crc_table(n_bits: int, polynomial: int) -> list[int]:
    """What each byte makes of a checksum that is 0; the highest bit comes first."""
    table = [byte << n_bits - 8 for byte in range(256)]
    for _ in range(8):
        table = [crc << 1 ^ (polynomial if crc >> n_bits - 1 else 0) for crc in table]
    return table


_CRC_8_TABLE = _crc_table(8, 0x107)
_CRC_16_TABLE = _crc_table(16, 0x18005)


@cache
def _row_effects() -> NDArray[np.uint16]:
    """What each byte at each place of a row makes of its checksum, shape (``_ROW_BYTES``, 256)."""
    table = np.array(_CRC_16_TABLE, np.uint16)
    effects = np.empty((_ROW_BYTES, 256), np.uint16)
    effects[-1] = table
    for place in range(_ROW_BYTES - 2, -1, -1):
        after = effects[place + 1]
        effects[place] = (after << 8) ^ table[after >> 8]
    return effects
