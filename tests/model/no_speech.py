"""What is no speech, made by formulas: 16 kHz, float32, the same each time."""

from __future__ import annotations

import numpy as np

RATE_HZ = 16_000
DURATION_S = 10


def made():
    """Name to samples, shape (160,000,)."""
    sounds = {
        "silence (dither)": 2e-5 * noise(0),
        "zeros": np.zeros(N_SAMPLES),
        "white noise": 0.1 * noise(0),
        "pink noise": 0.1 * noise(-1),
        "brown noise": 0.1 * noise(-2),
        "hum of 50 Hz": hum(),
        "sine of 440 Hz": 0.5 * np.sin(2 * np.pi * 440 * TIME_S),
        "DC": np.full(N_SAMPLES, 0.5),
        "clicks": clicks(),
        "music (chords)": chords(),
        "music (melody)": melody(),
        "keyboard": keyboard(),
    }
    return {name: np.ascontiguousarray(samples, np.float32) for name, samples in sounds.items()}


N_SAMPLES = DURATION_S * RATE_HZ
TIME_S = np.arange(N_SAMPLES) / RATE_HZ


def noise(slope):
    """Noise whose power goes with the frequency to the power of ``slope``; its level is 1."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(N_SAMPLES))
    frequency = np.maximum(np.arange(len(spectrum)), 20 * DURATION_S)
    shaped = np.fft.irfft(spectrum * frequency ** (slope / 2), N_SAMPLES)
    return shaped / shaped.std()


def hum():
    """Mains hum with its harmonics, and a little noise."""
    harmonics = sum(np.sin(2 * np.pi * 50 * k * TIME_S + k) / k**1.5 for k in range(1, 11))
    return 0.05 * harmonics + 0.001 * noise(0)


def clicks():
    """One every 700 ms."""
    samples = 1e-4 * noise(0)
    samples[:: RATE_HZ * 7 // 10] = 0.9
    return samples


def plucked(frequency_hz, n_samples, decay_s=0.6):
    time_s = np.arange(n_samples) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * frequency_hz * k * time_s) / k**1.2 for k in range(1, 9))
    return tone * np.exp(-time_s / decay_s) * np.minimum(1, time_s / 0.005)


def chords():
    """Four chords, each of three plucked strings, a second each."""
    samples = np.zeros(N_SAMPLES)
    roots = (220.0, 174.6, 261.6, 196.0)
    for second in range(DURATION_S):
        for ratio in (1, 5 / 4, 3 / 2):
            tone = plucked(roots[second % 4] * ratio, RATE_HZ)
            samples[second * RATE_HZ : (second + 1) * RATE_HZ] += 0.08 * tone
    return samples


def melody():
    """A pentatonic melody, four notes a second."""
    samples, generator = np.zeros(N_SAMPLES), np.random.default_rng(1)
    scale = 261.6 * np.array([1, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2])
    n = RATE_HZ // 4
    for start in range(0, N_SAMPLES, n):
        samples[start : start + n] = 0.2 * plucked(generator.choice(scale), n, 0.25)
    return samples


def keyboard():
    """Somebody types: bursts of 8 ms of noise, loud and less so, about seven a second."""
    samples, generator = 3e-4 * noise(-1), np.random.default_rng(2)
    at = 0
    while (at := at + int(generator.uniform(0.06, 0.25) * RATE_HZ)) < N_SAMPLES - 400:
        burst = generator.standard_normal(400) * np.exp(-np.arange(400) / 60)
        samples[at : at + 400] += generator.uniform(0.05, 0.3) * burst
    return samples
