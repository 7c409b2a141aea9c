"""Runs of a recording that differ in rate or channels, as one that begins as the first does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sidecar.audio.formats.recording import Block
from sidecar.audio.resampling import resample


def as_first(
    blocks: Iterable[Block], rate_hz: int, first_rate_hz: int, channels: int
) -> Iterator[Block]:
    """``blocks`` of a run at the rate of the first, and with its channels.

    One channel becomes all of them; of another number the mean does.
    """
    widened = (_widened(block, channels) for block in blocks)
    return resample(widened, rate_hz, channels, first_rate_hz)


def _widened(block: Block, channels: int) -> Block:
    if block.shape[1] == channels:
        return block
    mono = block if block.shape[1] == 1 else block.mean(axis=1, keepdims=True, dtype=np.float32)
    return np.repeat(mono, channels, axis=1)
