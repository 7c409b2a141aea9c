"""What ``speech: auto`` embeds: speech, and what surrounds it closely.

Speech alone, cut to the sample where it begins, is not what a speaker network was trained on: three
quarters of a second around it, with the room in it, make its embedding better, and keep it that of
the whole recording where that is all speech. docs/speech.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.speech.segments import Segment

FloatArray = NDArray[np.float32]

# Before each segment, and behind it: 750 ms. So pauses of up to a second and a half stay.
AROUND_SAMPLES = 3 * SAMPLE_RATE_HZ // 4
# A microphone that is off, or a recording that was padded: no room is in that. The least that
# counts is 10 ms of samples of no more than the last two bits of sixteen.
_OFF_SAMPLES = SAMPLE_RATE_HZ // 100
_OFF_PEAK = 4 / 32_768


def around_speech(samples: FloatArray, segments: Sequence[Segment]) -> FloatArray:
    """The ``segments`` of ``samples``, shape (n_samples,), with what surrounds them, joined."""
    kept: list[list[int]] = []
    for start, end in segments:
        wide_start = _without_off_before(samples, max(0, start - AROUND_SAMPLES), start)
        wide_end = _without_off_behind(samples, end, min(len(samples), end + AROUND_SAMPLES))
        if kept and wide_start <= kept[-1][1]:
            kept[-1][1] = max(kept[-1][1], wide_end)
        else:
            kept.append([wide_start, wide_end])
    return np.concatenate([samples[start:end] for start, end in kept])


def _without_off_before(samples: FloatArray, start: int, end: int) -> int:
    """Where what was recorded begins for the last time in ``samples[start:end]``."""
    off = _ends_of_off(samples[start:end])
    return start + (int(off[-1]) if len(off) else 0)


def _without_off_behind(samples: FloatArray, start: int, end: int) -> int:
    """Where what was recorded ends for the first time in ``samples[start:end]``."""
    off = _ends_of_off(samples[start:end][::-1])
    return start + (end - start - int(off[0]) if len(off) else end - start)


def _ends_of_off(samples: FloatArray) -> NDArray[np.int64]:
    """Behind each run of samples that are off."""
    # Of every fortieth sample, four in a row lie in a run that counts: few recordings have these.
    few = np.abs(samples[:: _OFF_SAMPLES // 4]) < _OFF_PEAK
    if not (few[:-3] & few[1:-2] & few[2:-1] & few[3:]).any():
        return np.empty(0, np.int64)
    is_off = np.abs(samples) < _OFF_PEAK
    edges = np.flatnonzero(np.diff(is_off.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    return ends[ends - starts >= _OFF_SAMPLES]
