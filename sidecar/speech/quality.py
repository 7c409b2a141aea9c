"""How good an audio is for telling who speaks: numbers, and flags for what costs accuracy.

What each threshold was measured with stands in ``docs/quality.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from protocol.quality import Flag, Quality
from sidecar.audio.channels import OPPOSITE
from sidecar.audio.resampling import FloatArray
from sidecar.audio.waveform import Stereo
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.speech.clipping import clipped_share

# What one decision about speech is about: 32 ms.
STEP_SAMPLES = 512

# The flags' thresholds.
SILENT_DBFS = -75.0
LITTLE_SPEECH_S = 2.0
QUIET_DBFS = -55.0
CLIPPED_SHARE = 0.02
NARROW_BAND_HZ = 6000.0
NOISY_DB = 10.0

# Of a longer audio so many steps, evenly spread, stand for all its speech, and for all the rest.
_MAX_STEPS = 1000
_MAX_CLOSELY = 125

# So many steps of the rest tell the noise's power. Else the quietest speech does: its pauses.
_MIN_REST_STEPS = 5
_MIN_HEARD_STEPS = 50
_QUIETEST_PERCENT = 5
# Speech that is further below the noise is no more than a fluctuation of it.
_LOWEST_SNR_DB = -20.0

# Bands of 250 Hz; the lowest one holds hum, and tells nothing of where speech ends.
_BAND_HZ = 250
_BAND_BINS = _BAND_HZ * STEP_SAMPLES // SAMPLE_RATE_HZ
_TRACE = 1e-5
_HANN = np.hanning(STEP_SAMPLES + 1)[:-1].astype(np.float32)


def measure(
    samples: FloatArray,
    is_speech: NDArray[np.bool_] | None,
    stereo: Stereo | None,
    *,
    speech_s: float | None,
) -> Quality:
    """Measure the whole of an audio; this takes a millisecond or two, however long it is.

    Args:
        samples: mono, 16 kHz, finite, shape (n_samples,); more than full scale is not clipped.
        is_speech: for each step of 512 samples, of which the last may be shorter, whether somebody
            speaks; None: it is not known.
        stereo: of the two channels that were mixed, if there were.
        speech_s: how many seconds somebody speaks; None: it is not known.
    """
    steps = _steps(samples)
    is_heard, rest = np.ones(len(steps), bool), None
    if is_speech is not None and is_speech[: len(steps)].any():
        is_heard = is_speech[: len(steps)]
        rest = _some(steps, ~is_heard, _MAX_STEPS)
    heard = _some(steps, is_heard, _MAX_STEPS)
    closely = _some(steps, is_heard, _MAX_CLOSELY)
    powers = _powers(heard)
    level_dbfs = _decibels(powers.mean())
    is_silent = level_dbfs is None or level_dbfs < SILENT_DBFS
    quality = Quality(
        speech_s=speech_s,
        level_dbfs=level_dbfs,
        snr_db=None if rest is None else _snr_db(powers, _powers(rest)),
        clipped_share=clipped_share(closely),
        bandwidth_hz=None if is_silent else _bandwidth_hz(closely),
        channel_correlation=None if stereo is None else stereo.correlation,
        flags=(),
    )
    return replace(quality, flags=tuple(_flags(quality)))


def _steps(samples: FloatArray) -> FloatArray:
    """The whole steps, shape (n_steps, 512); a shorter audio is one."""
    n_steps = len(samples) // STEP_SAMPLES
    if n_steps == 0:
        return np.resize(samples, (1, max(1, len(samples))))
    return samples[: n_steps * STEP_SAMPLES].reshape(n_steps, STEP_SAMPLES)


def _some(steps: FloatArray, are_wanted: NDArray[np.bool_], max_steps: int) -> FloatArray:
    """Those that are wanted; of more than ``max_steps``, some that are evenly spread."""
    wanted = np.flatnonzero(are_wanted)
    stride = max(1, -(-len(wanted) // max_steps))
    return steps[wanted[::stride]]


def _powers(steps: FloatArray) -> NDArray[np.float64]:
    """Each one's power about its mean, shape (n_steps,): what a microphone adds is not heard."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", steps, steps, dtype=np.float64)
    means: NDArray[np.float64] = steps.mean(axis=1, dtype=np.float64)
    return (squares / steps.shape[1] - means**2).clip(0)


def _decibels(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None


def _snr_db(heard: NDArray[np.float64], rest: NDArray[np.float64]) -> float | None:
    """How far speech is above the noise, from the powers of its steps and of all others."""
    # The median, as some of the rest is speech that was not heard. What a gate has muted is no
    # noise.
    rest = rest[rest > 0]
    if len(rest) >= _MIN_REST_STEPS:
        noise = float(np.median(rest))
    elif len(heard) >= _MIN_HEARD_STEPS:
        noise = float(np.percentile(heard, _QUIETEST_PERCENT))
    else:
        return None
    speech = float(heard.mean()) - noise
    if noise == 0:
        return None
    return max(_LOWEST_SNR_DB, 10 * math.log10(max(speech / noise, 1e-2)))


def _bandwidth_hz(steps: FloatArray) -> float | None:
    """Where the highest band ends that is not far below the strongest one."""
    peak = np.abs(steps).max()
    if steps.shape[1] < STEP_SAMPLES:
        return None
    spectra = np.fft.rfft(steps / peak * _HANN)[:, :-1]
    spectrum = (spectra.real**2 + spectra.imag**2).mean(axis=0)
    bands = spectrum.reshape(-1, _BAND_BINS).sum(axis=1)[1:]
    return float((np.flatnonzero(bands >= bands.max() * _TRACE)[-1] + 2) * _BAND_HZ)


def _flags(quality: Quality) -> Iterator[Flag]:
    level_dbfs, speech_s, snr_db = quality.level_dbfs, quality.speech_s, quality.snr_db
    if level_dbfs is None or level_dbfs < SILENT_DBFS:
        yield "silent"
    elif level_dbfs < QUIET_DBFS:
        yield "quiet"
    if speech_s is not None and speech_s < LITTLE_SPEECH_S:
        yield "little_speech"
    if quality.clipped_share > CLIPPED_SHARE:
        yield "clipped"
    if quality.bandwidth_hz is not None and quality.bandwidth_hz < NARROW_BAND_HZ:
        yield "narrow_band"
    if snr_db is not None and snr_db < NOISY_DB:
        yield "noisy"
    correlation = quality.channel_correlation
    if correlation is not None and correlation <= OPPOSITE:
        yield "opposite_phase"
