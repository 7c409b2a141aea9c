"""How loud a stream is, and how probable speech."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LiveLevel:
    """See ``StreamLevel``; in seconds from the stream's first sample."""

    start_s: float
    end_s: float
    rms_dbfs: float | None
    peak_dbfs: float | None
    speech: float | None


def level_of(samples: FloatArray, start: int, speech: float | None) -> LiveLevel:
    """That of ``samples``, which begin with the stream's sample ``start``."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return LiveLevel(
        start / SAMPLE_RATE_HZ,
        (start + len(samples)) / SAMPLE_RATE_HZ,
        _decibels(math.sqrt(power)),
        _decibels(float(np.abs(samples).max())),
        speech,
    )


def _decibels(amplitude: float) -> float | None:
    return 20 * math.log10(amplitude) if amplitude > 0 else None
