"""Whether a device computes what it should: one fixed waveform against a reference embedding."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocol.reports import SelfTest
from sidecar.config import SAMPLE_RATE_HZ, Precision
from sidecar.store.checksummed_file import read_checksummed, write_checksummed

# Two float32 computations of one embedding, on any device, come out far nearer than this; bfloat16
# keeps 8 bits of the mantissa, and gives 0.9992 with CAM++ and 0.99996 with ECAPA-TDNN.
MIN_COSINE: dict[Precision, float] = {"f32": 0.9999, "bf16": 0.99}
_DURATION_S = 1.0

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]


@functools.cache
def waveform() -> FloatArray:
    """A second of something like a voice, the same on every machine: shape (16000,).

    A glottal pulse train (110 Hz, gliding) with decaying harmonics, in syllables of 250 ms, over
    noise from a linear congruential generator (Numerical Recipes' constants).
    """
    n_samples = int(_DURATION_S * SAMPLE_RATE_HZ)
    time_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * (110 * time_s + 15 * time_s**2)
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 30))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * time_s)
    noise = np.empty(n_samples)
    state = 1
    for index in range(n_samples):
        state = (1664525 * state + 1013904223) % 2**32
        noise[index] = state / 2**31 - 1
    return (0.1 * syllables * voice + 0.005 * noise).astype(np.float32)


def reference_name(fingerprint: str, samples: FloatArray) -> str:
    """The name under which the reference of this waveform by that model is kept."""
    return f"{fingerprint}.{hashlib.sha256(samples.tobytes()).hexdigest()[:8]}"


def compare(
    embedding: FloatArray, reference: DoubleArray, precision: Precision = "f32"
) -> SelfTest:
    """Whether ``embedding`` is the reference, as nearly as ``precision`` can be."""
    norms = np.linalg.norm(embedding) * np.linalg.norm(reference)
    cosine = float(embedding.astype(np.float64) @ reference / norms)
    return SelfTest(passed=cosine >= MIN_COSINE[precision], cosine=round(min(cosine, 1.0), 8))


def keep_reference(
    path: Path, compute: Callable[[], DoubleArray], prebuilt: Path | None = None
) -> DoubleArray:
    """The reference embedding at ``path`` or ``prebuilt``; computed, and kept at ``path``, if none.

    A file that cannot be read, or was damaged, counts as none; a folder that cannot be written in
    costs only time, at each start.
    """
    kept = (read_checksummed(prebuilt) if prebuilt else None) or read_checksummed(path)
    if kept is not None:
        return np.frombuffer(kept, "<f8")
    reference = compute().astype("<f8", copy=False)
    write_checksummed(path, reference.tobytes())
    return reference
