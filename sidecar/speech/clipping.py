"""Clipping: how much of an audio was louder than what recorded it could tell.

As it was recorded, runs of clipped samples have one value, the highest. Once they were resampled or
compressed they overshoot and ripple, and no two are alike. But more of them are about as loud as
the clipped ones were than are a little less loud; in other speech, the louder is the rarer. (A
steady tone near full scale is like clipped speech in this.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sidecar.audio.resampling import FloatArray

# It happens at full scale, but the channel may have been mixed with a silent one since.
_MIN_LEVEL = 0.45

# How far apart the samples of a run are: 16 bits have one value more below 0 than above.
_FLAT = 4e-5

# Bins of 0.5 dB, counted from the loudest sample down. Once resampled, the clipped samples lie 1 dB
# around their level, and that lies up to 8 dB below the loudest (ten times over, at 8 kHz).
_LOG_PER_BIN = np.log(10) / 40
_AROUND = 2
_LEVELS = np.arange(17)
_N_BINS = _LEVELS[-1] + 3 * _AROUND


def clipped_share(samples: FloatArray) -> float:
    """The share of ``samples``, of any shape, that were clipped, 0 to 1.

    What was resampled since is undercounted, and a share of less than 0.02 may not be found.
    """
    loudness = np.abs(samples).ravel()
    peak = loudness.max(initial=0)
    if peak < _MIN_LEVEL:
        return 0.0
    return max(_in_runs(loudness >= peak - _FLAT * peak), _around_a_level(loudness, peak))


def _in_runs(is_flat: NDArray[np.bool_]) -> float:
    """The share that is in runs of three or more."""
    begins_three = is_flat[:-2] & is_flat[1:-1] & is_flat[2:]
    in_run = np.zeros(len(is_flat), bool)
    for offset in range(3):
        in_run[offset:][: len(begins_three)] |= begins_three
    return float(in_run.mean())


def _around_a_level(loudness: FloatArray, peak: np.float32) -> float:
    """By how much a band around a level outnumbers the one below it, as a share; the most."""
    loud = loudness[loudness > peak * np.exp(-_LOG_PER_BIN * _N_BINS)]
    bins = (np.log(loud / peak) / -_LOG_PER_BIN).astype(np.intp)
    # How many samples are in the first so many bins.
    louder = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=_N_BINS))])
    levels = _LEVELS[peak * np.exp(-_LOG_PER_BIN * _LEVELS) >= _MIN_LEVEL]
    band = louder[levels + _AROUND] - louder[np.maximum(levels - _AROUND, 0)]
    below = louder[levels + 3 * _AROUND] - louder[levels + _AROUND]
    return float(max(0, (band - below).max()) / len(loudness))
