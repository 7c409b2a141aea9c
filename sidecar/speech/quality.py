"""How good an audio is for telling who speaks: numbers, and flags for what costs accuracy.

docs/quality.md has the measurement behind each threshold.
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
from sidecar.speech.segments import STEP_SAMPLES

# Where the flags begin.
SILENT_DBFS = -75.0
QUIET_DBFS = -55.0
LITTLE_SPEECH_S = 2.0
CLIPPED_SHARE = 0.02
NARROW_BAND_HZ = 6000.0
NOISY_DB = 12.0

# Of more steps, so many stand for all: 32 s for levels, 4 s for what takes longer to compute.
_MAX_STEPS = 1000
_MAX_SHAPED = 125

# Fewer steps between the speech than this (0.16 s) do not tell the noise. Then the quietest part of
# the speech does, if there is enough of it (1.6 s) to have pauses.
_MIN_PAUSE_STEPS = 5
_MIN_SPEECH_STEPS = 50
_QUIETEST_PERCENT = 5
# Speech that is not above the noise is told as this share of it: no SNR is below -20 dB.
_LEAST_SNR = 0.01

# A band is a trace if it is 50 dB below the strongest one. In the lowest one may be hum, and up to
# 30 dB more of it than of speech.
_TRACE = 1e-5
_HUM = 1e-3
_BAND_HZ = 250
_BAND_BINS = _BAND_HZ * STEP_SAMPLES // SAMPLE_RATE_HZ
_HANN = np.hanning(STEP_SAMPLES + 1)[:-1].astype(np.float32)

_Powers = NDArray[np.float64]


def measure(
    samples: FloatArray,
    is_speech: NDArray[np.bool_] | None,
    stereo: Stereo | None,
    *,
    speech_s: float | None,
) -> Quality:
    """The quality of a whole audio; takes a millisecond or two, however long it is.

    Args:
        samples: mono, 16 kHz, finite, shape (n_samples,). Full scale is 1.0, and more is kept.
        is_speech: whether somebody speaks in each step of 512 samples, of which the last may be
            shorter; None: it is not known.
        stereo: of the two channels that were mixed, if any were.
        speech_s: how many seconds somebody speaks; None: it is not known.
    """
    steps = _steps(samples)
    speech, pauses = np.arange(len(steps)), None
    if is_speech is not None and is_speech[: len(steps)].any():
        speech, pauses = (np.flatnonzero(is_speech[: len(steps)] == said) for said in (True, False))
    powers = _powers(steps[_spread(speech, _MAX_STEPS)])
    shaped = steps[_spread(speech, _MAX_SHAPED)]
    snr_db = None
    if pauses is not None:
        snr_db = _snr_db(powers, _powers(steps[_spread(pauses, _MAX_STEPS)]))
    level_dbfs = _decibels(powers.mean())
    quality = Quality(
        speech_s=speech_s,
        level_dbfs=level_dbfs,
        snr_db=snr_db,
        clipped_share=clipped_share(shaped),
        bandwidth_hz=None if _is_silent(level_dbfs) else _bandwidth_hz(shaped),
        channel_correlation=None if stereo is None else stereo.correlation,
        flags=(),
    )
    return replace(quality, flags=tuple(_flags(quality)))


def _steps(samples: FloatArray) -> FloatArray:
    """The whole steps of an audio, shape (n_steps, 512); of a shorter one, all of it as one."""
    n_steps = len(samples) // STEP_SAMPLES
    if n_steps == 0:
        return np.resize(samples, (1, max(1, len(samples))))  # of none, a zero
    return samples[: n_steps * STEP_SAMPLES].reshape(n_steps, STEP_SAMPLES)


def _spread(steps: NDArray[np.intp], max_steps: int) -> NDArray[np.intp]:
    """At most ``max_steps`` of them, evenly spread."""
    return steps[:: max(1, -(-len(steps) // max_steps))]


def _powers(steps: FloatArray) -> _Powers:
    """The power of each step, shape (n_steps,), without its mean: a microphone's own offset."""
    exact = steps.astype(np.float64)
    squares = np.einsum("ij,ij->i", exact, exact) / exact.shape[1]
    powers: _Powers = np.maximum(squares - exact.mean(axis=1) ** 2, 0)
    return powers


def _decibels(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None


def _is_silent(level_dbfs: float | None) -> bool:
    return level_dbfs is None or level_dbfs < SILENT_DBFS


def _snr_db(speech: _Powers, pauses: _Powers) -> float | None:
    """How far speech is above the noise, of which its steps have as much as the others."""
    pauses = pauses[pauses > 0]  # what a gate has muted is no noise
    if len(pauses) >= _MIN_PAUSE_STEPS:
        noise = _median(pauses)  # as there may be words among them that were not heard
    elif len(speech) >= _MIN_SPEECH_STEPS:
        noise = np.percentile(speech, _QUIETEST_PERCENT)
    else:
        return None
    if noise == 0:
        return None
    return _decibels(max(_LEAST_SNR, float(speech.mean() / noise) - 1))


def _median(powers: _Powers) -> np.float64:
    """As ``numpy.median``, which imports ``numpy.ma`` first, and takes far longer for so few."""
    ordered = np.sort(powers)
    median: np.float64 = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return median


def _bandwidth_hz(steps: FloatArray) -> float | None:
    """Where the highest band ends that is more than a trace; None: a step is too short to tell."""
    if steps.shape[1] < STEP_SAMPLES:
        return None
    moving = steps / max(steps.max(), -steps.min())
    moving -= moving.mean()
    moving *= _HANN
    spectra = np.fft.rfft(moving)[:, :-1]
    parts = spectra.view(spectra.real.dtype)  # real and imaginary by turns
    spectrum = np.einsum("ij,ij->j", parts, parts)
    bands = spectrum.reshape(-1, 2 * _BAND_BINS).sum(axis=1)
    is_there = bands >= _TRACE * max(bands[1:].max(), _HUM * bands[0])
    return float((np.flatnonzero(is_there)[-1] + 1) * _BAND_HZ)


def _flags(quality: Quality) -> Iterator[Flag]:
    """What of it costs accuracy."""
    level_dbfs, correlation = quality.level_dbfs, quality.channel_correlation
    if _is_silent(level_dbfs):
        yield "silent"
    elif level_dbfs is not None and level_dbfs < QUIET_DBFS:
        yield "quiet"
    if quality.speech_s is not None and quality.speech_s < LITTLE_SPEECH_S:
        yield "little_speech"
    if quality.clipped_share >= CLIPPED_SHARE:
        yield "clipped"
    if quality.bandwidth_hz is not None and quality.bandwidth_hz <= NARROW_BAND_HZ:
        yield "narrow_band"
    if quality.snr_db is not None and quality.snr_db < NOISY_DB:
        yield "noisy"
    if correlation is not None and correlation <= OPPOSITE:
        yield "opposite_phase"
