"""Samples of any rate to another: that of the networks, or that with which a recording began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

FloatArray: TypeAlias = NDArray[np.float32]


class Resampler:
    """Gives, piece by piece, what the pieces would give as one."""

    def __init__(self, rate_hz: int, channels: int, to_hz: int = SAMPLE_RATE_HZ) -> None:
        self._channels = channels
        self._stream: soxr.ResampleStream | None = None
        if rate_hz != to_hz:
            self._stream = soxr.ResampleStream(
                rate_hz, to_hz, channels, dtype="float32", quality="HQ"
            )

    def feed(self, block: FloatArray) -> FloatArray:
        """What is there once ``block``, (n_samples, channels), has come; as many channels."""
        return block if self._stream is None else self._resampled(self._stream, block, last=False)

    def finish(self) -> FloatArray:
        """What is left."""
        nothing = np.empty((0, self._channels), np.float32)
        return (
            nothing if self._stream is None else self._resampled(self._stream, nothing, last=True)
        )

    def _resampled(
        self, stream: soxr.ResampleStream, block: FloatArray, *, last: bool
    ) -> FloatArray:
        given = np.ascontiguousarray(block if self._channels > 1 else block[:, 0])
        made: FloatArray = stream.resample_chunk(given, last=last)
        return made.reshape(-1, self._channels)


def resample(
    blocks: Iterable[FloatArray], rate_hz: int, channels: int, to_hz: int = SAMPLE_RATE_HZ
) -> Iterator[FloatArray]:
    """The blocks, each (n_samples, channels), at another rate: what they give in one piece.

    There is one block for each, and a last one for what is left.
    """
    if rate_hz == to_hz:
        yield from blocks
        return
    resampler = Resampler(rate_hz, channels, to_hz)
    for block in blocks:
        yield resampler.feed(block)
    yield resampler.finish()
