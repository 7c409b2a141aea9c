"""Samples of any rate to another: that of the networks, or that with which a recording began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

FloatArray: TypeAlias = NDArray[np.float32]


def resample(
    blocks: Iterable[FloatArray], rate_hz: int, channels: int, to_hz: int = SAMPLE_RATE_HZ
) -> Iterator[FloatArray]:
    """The blocks, each (n_samples, channels), at another rate: what they give in one piece.

    There is one block for each, and a last one for what is left.
    """
    if rate_hz == to_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, to_hz, channels, dtype="float32", quality="HQ")
    for block in blocks:
        yield _resampled(stream, block, last=False)
    yield _resampled(stream, np.empty((0, channels), np.float32), last=True)


def _resampled(stream: soxr.ResampleStream, block: FloatArray, *, last: bool) -> FloatArray:
    channels = block.shape[1]
    given = np.ascontiguousarray(block if channels > 1 else block[:, 0])
    made: FloatArray = stream.resample_chunk(given, last=last)
    return made.reshape(-1, channels)
