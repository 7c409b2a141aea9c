"""The stretch of a stream of samples that is still needed."""

from __future__ import annotations

from collections import deque

import numpy as np

from sidecar.audio.resampling import FloatArray


class SampleBuffer:
    """Samples, appended at the end and dropped at the front, by their index in the stream.

    Args:
        channels: how many values each has.
        start: the index of the first.
    """

    def __init__(self, channels: int, start: int = 0) -> None:
        self._channels = channels
        self._blocks: deque[FloatArray] = deque()
        self._start = self.end = start

    @property
    def n_bytes(self) -> int:
        """The memory that it holds."""
        return 4 * self._channels * (self.end - self._start)

    def append(self, block: FloatArray) -> None:
        """Add what comes next, shape (n_samples, channels)."""
        if len(block) > 0:
            self._blocks.append(block)
            self.end += len(block)

    def copy(self, start: int, end: int) -> FloatArray:
        """The samples from ``start`` to ``end``, which are held, as an array of their own."""
        parts, at = [np.empty((0, self._channels), np.float32)], self._start
        for block in self._blocks:
            if at < end and start < at + len(block):
                parts.append(block[max(0, start - at) : end - at])
            at += len(block)
        return np.concatenate(parts)

    def drop_before(self, index: int) -> None:
        """Forget whole blocks that lie before ``index``."""
        while self._blocks and self._start + len(self._blocks[0]) <= index:
            self._start += len(self._blocks.popleft())
