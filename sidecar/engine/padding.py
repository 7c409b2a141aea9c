"""Utterances of several lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def padded(waveforms: Sequence[FloatArray], n_samples: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """The waveforms, zeros behind each, ``[batch, n_samples]``; how long each is, ``[batch]``."""
    batch = np.zeros((len(waveforms), n_samples), np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return batch, np.array([len(waveform) for waveform in waveforms], np.int64)
