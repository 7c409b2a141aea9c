"""Sounds whose numbers are known: mono, 16 kHz, shape (n_samples,), levels as RMS in dBFS."""

from __future__ import annotations

import numpy as np
import soxr

from sidecar.config import SAMPLE_RATE_HZ


def seconds(duration_s):
    return np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def white(duration_s, dbfs=0.0, seed=0):
    samples = np.random.default_rng(seed).standard_normal(len(seconds(duration_s)))
    return as_loud_as(dbfs, samples)


def as_loud_as(dbfs, samples):
    return samples * np.sqrt(10 ** (dbfs / 10) / np.square(samples).mean())


def coloured(exponent, duration_s=3, seed=0):
    """White noise, its amplitude times that power of the frequency from 300 Hz on."""
    spectrum = np.fft.rfft(white(duration_s, seed=seed))
    hz = np.fft.rfftfreq(len(seconds(duration_s)), 1 / SAMPLE_RATE_HZ)
    return as_loud_as(-30, np.fft.irfft(spectrum * np.maximum(hz, 300) ** exponent))


def below(hz, samples):
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ) > hz] = 0
    return np.fft.irfft(spectrum, len(samples))


def babbling(duration_s, dbfs=-25.0, seed=0):
    """As loud and as soft as speech, syllable by syllable, and as low."""
    syllables = np.random.default_rng(seed).uniform(-40, 0, round(8 * duration_s) + 1)
    envelope_db = np.interp(8 * seconds(duration_s), np.arange(len(syllables)), syllables)
    return as_loud_as(dbfs, coloured(-1, duration_s, seed + 1) * 10 ** (envelope_db / 20))


def clip(samples, times, rate_hz=SAMPLE_RATE_HZ):
    """So many times as loud as fits, clipped at ``rate_hz``, and then resampled."""
    if rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz)
    cut = np.clip(times * samples / np.abs(samples).max(), -1, 1)
    if rate_hz != SAMPLE_RATE_HZ:
        cut = soxr.resample(cut, rate_hz, SAMPLE_RATE_HZ)
    return cut.astype(np.float32)
