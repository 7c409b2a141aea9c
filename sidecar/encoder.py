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
from sidecar import self_test
from sidecar.audio import Waveform
from sidecar.config import Config
from sidecar.device import choose, fall_back
from sidecar.models.catalog import ModelCard
from sidecar.models.installed import InstalledModel
from sidecar.runtimes import torch_runtime
from sidecar.runtimes.torch_runtime import Network, TorchRuntime

_log = logging.getLogger(__name__)

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
        self.batch_limits = runtime.batch_limits
        self._runtime = runtime

    def embed(self, waveforms: Sequence[Waveform]) -> list[Embedding | SidecarError]:
        """An embedding for each waveform, computed together, or the error that took its place.

        Raises:
            OutOfMemory: they do not fit together; fewer may.
            DeviceError: the device failed.
        """
        values = self._runtime.embed([waveform.samples for waveform in waveforms])
        return [_embedding(row) for row in values]

    def peak_reserved_bytes(self) -> int | None:
        """The most GPU memory that was held so far; None on the CPU."""
        return self._runtime.peak_reserved_bytes


def _embedding(values: FloatArray) -> Embedding | SidecarError:
    if not np.isfinite(values).all():
        return BadAudio(
            "the embedding of this audio is not finite; are its samples within -1 to 1?",
            kind="non_finite",
        )
    return Embedding(values)


def open_encoder(
    config: Config,
    installed: InstalledModel,
    references_dir: Path,
    on_progress: Callable[[Progress], None],
) -> Encoder:
    """Load the model, choose a device, warm it up, and self-test it.

    Where no device was demanded and a GPU cannot be brought to serve, the CPU does. The reference
    embeddings of the self-test are kept in ``references_dir``.

    Raises:
        ModelUnavailable: the weights do not fit the network.
        DeviceError: the device that was demanded is not there, or the self-test failed.
    """
    card = installed.card
    network = importlib.import_module(f"sidecar.models.{card.network}")
    made_by = fingerprint(card, installed.weights_sha256, network.RECIPE)
    facts = torch_runtime.facts(opens_gpus=config.device != "cpu")
    choice = choose(config.device, config.gpu, facts)

    def load() -> Network:
        module: Network = network.load(installed.weights)
        return module

    def start_on(device: str) -> tuple[TorchRuntime, SelfTest]:
        on_progress(Progress("load", 0, 1, "models"))
        runtime = _load_onto(device, load(), config.threads)
        on_progress(Progress("load", 1, 1, "models"))
        on_progress(Progress("warmup", 0, 1, "passes"))
        result = _self_test(runtime, waveform, reference)
        on_progress(Progress("warmup", 1, 1, "passes"))
        return runtime, result

    waveform = self_test.waveform()
    reference = self_test.keep_reference(
        references_dir / self_test.reference_name(made_by, waveform),
        lambda: torch_runtime.reference_embedding(load(), waveform),
    )
    try:
        runtime, result = start_on(choice.selected)
    except DeviceError as error:
        choice = fall_back(config.device, config.gpu, choice, error)
        _log.warning("%s", choice.reason)
        runtime, result = start_on(choice.selected)
    _log.info("%s on %s: self-test cosine %.8f", card.id, choice.selected, result.cosine)
    device = DeviceReport(
        requested="auto --gpu" if config.gpu else config.device,
        selected=choice.selected,
        reason=choice.reason,
        runtime=f"{torch_runtime.NAME} {torch_runtime.VERSION}",
        precision="f32",
        threads=runtime.n_threads,
        gpus=facts.gpus,
        driver=facts.driver.version if facts.driver else None,
        torch=facts.torch.version,
        cuda=facts.torch.cuda,
        cpu=torch_runtime.cpu(),
        self_test=result,
    )
    return Encoder(describe(installed, made_by), device, choice.degraded, runtime)


def _load_onto(device: str, network: Network, n_threads: int | None) -> TorchRuntime:
    try:
        return TorchRuntime(network, device, n_threads)
    except OutOfMemory as error:
        raise DeviceError(
            f"{device} has too little free memory for the model; close what else uses it",
            kind="out_of_memory",
        ) from error


def _self_test(
    runtime: TorchRuntime, waveform: FloatArray, reference: self_test.DoubleArray
) -> SelfTest:
    try:
        runtime.embed([waveform])  # the first call allocates, and selects kernels
        result = self_test.compare(runtime.embed([waveform])[0], reference)
    except OutOfMemory as error:
        raise DeviceError(
            f"{runtime.device} has too little free memory for a second of audio; close what else "
            "uses it",
            kind="out_of_memory",
        ) from error
    if not result.passed:
        raise DeviceError(
            f"the self-test on {runtime.device} failed: cosine {result.cosine:.6f} to the "
            f"reference, at least {self_test.MIN_COSINE} is needed; it computes wrong results",
            kind="self_test_failed",
        )
    return result


def describe(installed: InstalledModel, made_by: str) -> ModelReport:
    """The model report."""
    card = installed.card
    return ModelReport(
        id=card.id,
        embedding_dim=card.embedding_dim,
        sample_rate_hz=card.sample_rate_hz,
        min_duration_s=card.min_duration_s,
        max_duration_s=card.max_duration_s,
        fingerprint=made_by,
        weights_sha256=installed.weights_sha256,
        source=str(installed.weights),
    )


def fingerprint(card: ModelCard, weights_sha256: str, recipe: str) -> str:
    """What embeddings must have in common to be compared: the weights, frontend and network."""
    digest = hashlib.sha256(f"{weights_sha256}\n{recipe}".encode()).hexdigest()
    return f"{card.network}.{digest[:16]}"
