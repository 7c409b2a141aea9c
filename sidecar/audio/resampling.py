"""Samples of any rate to the rate of the networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from sidecar.audio.sources import FloatArray
from sidecar.config import SAMPLE_RATE_HZ


def resample(blocks: Iterable[FloatArray], rate_hz: int) -> Iterator[FloatArray]:
    """The blocks, each (n_samples,), at 16 kHz: sample for sample what they give in one piece.

    There is one block for each, and a last one for what is left.
    """
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
