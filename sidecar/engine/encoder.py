"""Waveforms to embeddings: a verified network on a device that has passed its self-test."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocol.errors import BadAudio, DeviceError, SidecarError
from protocol.reports import DeviceReport, ModelReport, Progress
from sidecar.audio.waveform import Waveform
from sidecar.config import CPU_RUNTIMES, Config
from sidecar.engine.loading import ModelLoader
from sidecar.engine.runtime import Runtime
from sidecar.hardware import machine
from sidecar.hardware.cpu import cpu
from sidecar.hardware.device import Choice, choose, fall_back
from sidecar.store.installed import InstalledModel, fingerprint

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
            values = values / np.sqrt(values.dot(values))
        return values.astype("<f4", copy=False).tobytes()


class Encoder:
    """One model on one device.

    ``degraded`` says why that is not the device that was asked for, if so; ``remarks`` say what
    else is not as it was asked for, each a phrase.
    """

    def __init__(
        self,
        model: ModelReport,
        device: DeviceReport,
        degraded: str | None,
        runtime: Runtime,
        remarks: tuple[str, ...] = (),
    ) -> None:
        self.model = model
        self.device = device
        self.degraded = degraded
        self.remarks = remarks
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

    def rest(self) -> None:
        """Give back memory, as nothing is to do now; see ``Runtime``."""
        self._runtime.rest()

    def peak_reserved_bytes(self) -> int | None:
        """The most GPU memory that was held so far; None on the CPU."""
        return self._runtime.peak_reserved_bytes


def _embedding(values: FloatArray) -> Embedding | SidecarError:
    # One call of NumPy: behind a network, its wrappers are in no cache any more.
    if not math.isfinite(values.dot(values)):
        return BadAudio(
            "the embedding of this audio is not finite; are its samples within -1 to 1?",
            kind="non_finite",
        )
    return Embedding(values)


def open_encoder(
    config: Config,
    installed: InstalledModel,
    models_dir: Path,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> Encoder:
    """Load the model, choose a device, warm it up, and self-test it.

    Where no device was demanded and a GPU cannot be brought to serve, the CPU does. What was made
    of the weights is kept in ``models_dir``.

    Raises:
        ModelUnavailable: the weights do not fit the network, or ``should_stop`` said so.
        DeviceError: the device or the runtime that was demanded is not there, or the self-test
            failed.
    """
    made_by = fingerprint(installed.card, installed.weights_sha256, installed.card.recipe)
    loader = ModelLoader(config, installed, made_by, models_dir, on_progress, should_stop)
    facts = machine.facts(config)
    choice = choose(config.device, config.gpu, facts)
    if config.runtime in CPU_RUNTIMES and config.device == "auto":
        choice = Choice("cpu", f"the CPU serves, as --runtime {config.runtime} asks")
    try:
        loaded = loader.load_on(choice.selected)
    except DeviceError as error:
        choice = fall_back(config.device, config.gpu, choice, error)
        _log.warning("%s", choice.reason)
        loaded = loader.load_on(choice.selected)
    runtime, result = loaded.runtime, loaded.self_test
    reason = "; ".join((choice.reason, *loaded.remarks))
    _log.info(
        "%s on %s with %s: self-test cosine %.8f",
        installed.card.id,
        choice.selected,
        runtime.name,
        result.cosine,
    )
    device = DeviceReport(
        requested="auto --gpu" if config.gpu else config.device,
        selected=choice.selected,
        reason=reason,
        runtime=f"{runtime.name} {runtime.version}",
        precision=runtime.precision,
        threads=runtime.n_threads,
        gpus=facts.gpus,
        driver=facts.driver.version if facts.driver else None,
        torch=facts.torch.version if facts.torch else None,
        cuda=facts.torch.cuda if facts.torch else None,
        cpu=cpu(),
        self_test=result,
    )
    model = describe(installed, made_by)
    return Encoder(model, device, choice.degraded, runtime, loaded.remarks)


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
        source=str(installed.source),
    )
