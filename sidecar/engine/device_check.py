"""Whether a device computes what it should: two fixed waveforms against reference embeddings."""

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
# keeps 8 bits of the mantissa, and gives 0.9992 with CAM++ and 0.99996 with ECAPA-TDNN; int8 gives
# 0.99987 with ECAPA-TDNN.
MIN_COSINE: dict[Precision, float] = {"f32": 0.9999, "bf16": 0.99, "int8": 0.999}
_DURATION_S = 1.0
_SHORTER_BY_SAMPLES = 1000

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


def waveforms() -> list[FloatArray]:
    """What is compared: the waveform, and a shorter one, which runs beside it behind a mask."""
    return [waveform(), waveform()[:-_SHORTER_BY_SAMPLES]]


def reference_name(fingerprint: str) -> str:
    """The name under which the references of the waveforms by that model are kept."""
    digest = hashlib.sha256(b"".join(samples.tobytes() for samples in waveforms()))
    return f"{fingerprint}.{digest.hexdigest()[:8]}"


def compare(
    embeddings: FloatArray, references: DoubleArray, precision: Precision = "f32"
) -> SelfTest:
    """Whether each embedding is its reference, as nearly as ``precision`` can be: the worst.

    Both are of shape (2, dim). What is not finite is never the reference.
    """
    norms = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(references, axis=1)
    cosines = (embeddings.astype(np.float64) * references).sum(axis=1) / norms
    cosine = float(cosines.min())  # NaN, if one is
    return SelfTest(passed=cosine >= MIN_COSINE[precision], cosine=round(min(cosine, 1.0), 8))


def keep_references(
    path: Path, compute: Callable[[], DoubleArray], prebuilt: Path | None = None
) -> DoubleArray:
    """The references at ``path`` or ``prebuilt``, (2, dim); computed and kept at ``path``, if none.

    A file that cannot be read, or was damaged, counts as none; a folder that cannot be written in
    costs only time, at each start.
    """
    kept = (read_checksummed(prebuilt) if prebuilt else None) or read_checksummed(path)
    if kept is not None:
        return np.frombuffer(kept, "<f8").reshape(len(waveforms()), -1)
    references = compute().astype("<f8", copy=False)
    write_checksummed(path, references.tobytes())
    return references
