"""Waveforms to embeddings: a verified network on a device that has passed its self-test."""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocol.errors import BadAudio, DeviceError, OutOfMemory, SidecarError
from protocol.reports import DeviceReport, ModelReport, Progress, SelfTest
from sidecar.audio import Waveform
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.device import choose
from sidecar.models.catalog import ModelCard
from sidecar.runtimes import torch_runtime
from sidecar.runtimes.torch_runtime import TorchRuntime

_log = logging.getLogger(__name__)

# Two float32 computations of one embedding, on any device, come out far nearer than this.
SELF_TEST_MIN_COSINE = 0.9999
_SELF_TEST_S = 1.0

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """``values``: float32, shape (dim,), as the network gives them."""

    values: FloatArray

    def packed(self, *, normalize: bool) -> bytes:
        """Dim x f32le, divided by the Euclidean norm if ``normalize``."""
        values = self.values
        if normalize:
            values = values / np.linalg.norm(values)
        return values.astype("<f4", copy=False).tobytes()


class Encoder:
    """One model on one device. ``degraded`` says why that is not what was asked for, if so."""

    def __init__(
        self,
        model: ModelReport,
        device: DeviceReport,
        degraded: str | None,
        runtime: TorchRuntime,
    ) -> None:
        self.model = model
        self.device = device
        self.degraded = degraded
        self._runtime = runtime

    def embed(self, waveforms: Sequence[Waveform]) -> list[Embedding | SidecarError]:
        """An embedding for each waveform, or the error that took its place.

        Raises:
            DeviceError: the device failed.
        """
        return [self._embed(waveform) for waveform in waveforms]

    def peak_reserved_bytes(self) -> int | None:
        """The most GPU memory that was held so far; None on the CPU."""
        return self._runtime.peak_reserved_bytes()

    def _embed(self, waveform: Waveform) -> Embedding | SidecarError:
        try:
            values = self._runtime.embed(waveform.samples)
        except OutOfMemory as error:
            return error
        if not np.isfinite(values).all():
            return BadAudio(
                "the embedding of this audio is not finite; are its samples within -1 to 1?",
                kind="non_finite",
            )
        return Embedding(values)


def open_encoder(
    config: Config, card: ModelCard, weights: Path, on_progress: Callable[[Progress], None]
) -> Encoder:
    """Load ``card``'s network with the verified ``weights``, warm it up, and self-test it.

    Raises:
        ModelUnavailable: the weights do not fit the network.
        DeviceError: the device that was demanded is not there, or the self-test failed.
    """
    facts = torch_runtime.cuda_facts()
    choice = choose(config.device, config.gpu, facts)
    on_progress(Progress("load", 0, 1, "models"))
    network = importlib.import_module(f"sidecar.models.{card.network}")
    runtime = TorchRuntime(network.load(weights), choice.selected, config.threads)
    on_progress(Progress("load", 1, 1, "models"))

    on_progress(Progress("warmup", 0, 1, "passes"))
    waveform = self_test_waveform()
    reference = torch_runtime.reference_embedding(network.load(weights), waveform)
    runtime.embed(waveform)  # the first call allocates and selects kernels
    self_test = compare(runtime.embed(waveform), reference)
    on_progress(Progress("warmup", 1, 1, "passes"))
    if not self_test.passed:
        raise DeviceError(
            f"the self-test on {choice.selected} failed: cosine {self_test.cosine:.6f} to the "
            f"reference, at least {SELF_TEST_MIN_COSINE} is needed; try --device cpu",
            kind="self_test_failed",
        )
    _log.info("%s on %s: self-test cosine %.8f", card.id, choice.selected, self_test.cosine)
    device = DeviceReport(
        requested="auto --gpu" if config.gpu else config.device,
        selected=choice.selected,
        reason=choice.reason,
        runtime=f"{torch_runtime.NAME} {torch_runtime.VERSION}",
        precision="f32",
        threads=runtime.n_threads,
        gpus=facts.gpus,
        driver=None,
        torch=facts.torch,
        cuda=facts.built_for,
        cpu=torch_runtime.cpu(),
        self_test=self_test,
    )
    model = describe(card, fingerprint=fingerprint(card, network.RECIPE), source=str(weights))
    return Encoder(model, device, choice.degraded, runtime)


def describe(card: ModelCard, fingerprint: str | None, source: str | None) -> ModelReport:
    """The model report for ``card``."""
    return ModelReport(
        id=card.id,
        embedding_dim=card.embedding_dim,
        sample_rate_hz=card.sample_rate_hz,
        min_duration_s=card.min_duration_s,
        max_duration_s=card.max_duration_s,
        fingerprint=fingerprint,
        weights_sha256=card.files[0].sha256,
        source=source,
    )


def fingerprint(card: ModelCard, recipe: str) -> str:
    """What embeddings must have in common to be compared: the weights, frontend and network."""
    digest = hashlib.sha256(f"{card.files[0].sha256}\n{recipe}".encode()).hexdigest()
    return f"{card.id}.{digest[:16]}"


def compare(embedding: FloatArray, reference: NDArray[np.float64]) -> SelfTest:
    """Whether ``embedding`` is the reference, as nearly as float32 can be."""
    norms = np.linalg.norm(embedding) * np.linalg.norm(reference)
    cosine = float(embedding.astype(np.float64) @ reference / norms)
    return SelfTest(passed=cosine >= SELF_TEST_MIN_COSINE, cosine=round(cosine, 8))


def self_test_waveform() -> FloatArray:
    """A second of something like a voice, the same on every machine: shape (16000,).

    A glottal pulse train (110 Hz, gliding) with decaying harmonics, in syllables of 250 ms, over
    noise from a linear congruential generator (Numerical Recipes' constants).
    """
    n_samples = int(_SELF_TEST_S * SAMPLE_RATE_HZ)
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
