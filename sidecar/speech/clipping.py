"""Clipping: how much of an audio was louder than what recorded it could tell.

Where it was clipped as it is, runs of samples have one value, the highest. Resampled or compressed
since then, they overshoot and ripple, and no two are alike; but still more of them are about as
loud as the clipped ones were than are a little less loud. In speech that was not clipped it is the
other way round: the louder, the rarer. (A loud steady tone is like clipped speech in this.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sidecar.audio.resampling import FloatArray

# Clipping happens at full scale; since then it may have been mixed with a silent channel.
_MIN_LEVEL = 0.45

# How alike the samples of a run are: of 16 bits, there is one value more below 0 than above.
_FLAT = 4e-5

# Loudness is counted in bins of half a dB below the loudest sample. Resampled, clipped samples lie
# 1 dB around their level, and the loudest up to 8 dB above it: from 8 kHz, ten times over.
_LOG_PER_BIN = np.log(10) / 40
_AROUND = 2
_LEVELS = np.arange(17)
_N_BINS = _LEVELS[-1] + 3 * _AROUND


def clipped_share(samples: FloatArray) -> float:
    """The share of ``samples``, any shape, that were clipped, 0 to 1.

    Of samples that were resampled since it is a lower bound, and 0 where few were clipped.
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
    """How much more a band of loudness holds than the one below it, as a share; the clearest."""
    loud = loudness[loudness > peak * np.float32(np.exp(-_LOG_PER_BIN * _N_BINS))]
    bins = (np.log(loud / peak) / -_LOG_PER_BIN).astype(np.intp)
    # How many are louder than so many bins below the peak.
    louder = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=_N_BINS))])
    levels = _LEVELS[peak * np.exp(-_LOG_PER_BIN * _LEVELS) >= _MIN_LEVEL]
    band = louder[levels + _AROUND] - louder[np.maximum(levels - _AROUND, 0)]
    below = louder[levels + 3 * _AROUND] - louder[levels + _AROUND]
    return max(0.0, float((band - below).max()) / len(loudness))
