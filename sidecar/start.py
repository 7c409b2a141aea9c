"""Brings a model to serve on a device: which runtime, what it needs, and whether it is right."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from protocol.errors import DeviceError, OutOfMemory
from protocol.reports import Progress, SelfTest
from sidecar import self_test
from sidecar.batching import BatchLimits
from sidecar.config import Config, Precision
from sidecar.conversion import ConversionFailed, convert_apart
from sidecar.models import converted
from sidecar.models.converted import Converted, Origin
from sidecar.models.installed import InstalledModel
from sidecar.shipped import is_bundle

if TYPE_CHECKING:
    from sidecar.runtimes.torch_runtime import Network

FloatArray = NDArray[np.float32]

_CONVERTED_DIR = ".openvino"
_REFERENCES_DIR = ".self-test"


class Runtime(Protocol):
    """What runs a model on a device, called by one thread."""

    @property
    def name(self) -> str:
        """``torch`` or ``openvino``."""

    @property
    def version(self) -> str:
        """Its release."""

    @property
    def device(self) -> str:
        """As torch names it: ``cpu``, ``cuda:0``."""

    @property
    def precision(self) -> Precision:
        """What the network computes in."""

    @property
    def n_threads(self) -> int:
        """How many threads do the CPU's work."""

    @property
    def batch_limits(self) -> BatchLimits:
        """What one batch may be."""

    @property
    def peak_reserved_bytes(self) -> int | None:
        """The most GPU memory that was held so far; None on the CPU."""

    def embed(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """The embeddings, shape (n, dim), of n waveforms, each of a length of its own.

        Raises:
            OutOfMemory: these waveforms do not fit together.
            DeviceError: the device failed.
        """


@dataclass(frozen=True, slots=True)
class Started:
    """A runtime that passed its self-test; ``remarks``: what is not as it was asked for."""

    runtime: Runtime
    self_test: SelfTest
    remarks: tuple[str, ...] = ()


def converted_root(models_dir: Path) -> Path:
    """Where converted models are kept."""
    return models_dir / _CONVERTED_DIR


def references_dir(models_dir: Path) -> Path:
    """Where the self-test's reference embeddings are kept, for torch."""
    return models_dir / _REFERENCES_DIR


def converted_origin(made_by: str, openvino: str) -> Origin:
    """What the conversion of the model with the fingerprint ``made_by`` depends on."""
    waveform = self_test.waveform()
    return Origin(made_by, openvino, self_test.reference_name(made_by, waveform))


@dataclass(frozen=True, slots=True)
class Start:
    """One model on its way to serve, as ``config`` asks; ``on`` may be tried for several devices.

    Args:
        made_by: the model's fingerprint.
        models_dir: where converted models and reference embeddings are kept.
    """

    config: Config
    installed: InstalledModel
    made_by: str
    models_dir: Path
    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]

    def on(self, device: str) -> Started:
        """A runtime that serves on ``device``.

        Raises:
            ModelUnavailable: the weights do not fit the network, or it was stopped.
            DeviceError: none can serve, or not the one that was demanded.
        """
        remarks = []
        if device == "cpu" and self.config.runtime != "torch":
            try:
                return self._with_openvino()
            except (DeviceError, _NoOpenVino) as error:
                why = error.message if isinstance(error, DeviceError) else str(error)
                if self.config.runtime == "openvino":
                    raise DeviceError(
                        f"--runtime openvino cannot be had: {why}; with --runtime auto torch would "
                        "serve",
                        kind="device_unavailable",
                    ) from error
                remarks.append(f"torch runs it, since {why}")
        if self.config.precision != "f32":
            remarks.append(f"in f32, as {self.config.precision} is for OpenVINO on the CPU alone")
        return self._with_torch(device, tuple(remarks))

    def _with_openvino(self) -> Started:
        try:
            from sidecar.runtimes import openvino_library, openvino_runtime  # noqa: PLC0415
        except (ImportError, OSError) as error:
            raise _NoOpenVino(
                f"OpenVINO cannot be imported ({error}); install it with: pip install openvino"
            ) from error
        model = self._converted(converted_origin(self.made_by, openvino_library.VERSION))
        wished = self.config.precision

        def load() -> Runtime:
            return openvino_runtime.OpenVinoRuntime(model, self.config.threads, wished)

        started = self._tested(load, "cpu", model.reference())
        if started.runtime.precision == wished:
            return started
        remark = f"in {started.runtime.precision}, as this CPU has no {wished} instructions"
        return Started(started.runtime, started.self_test, (remark,))

    def _converted(self, origin: Origin) -> Converted:
        root = converted_root(self.models_dir)
        shipped_in = self.installed.shipped_in
        if shipped_in is not None:
            found = converted.find(converted_root(shipped_in), origin)
            if found is not None:
                return found.compiled_below(root)
        if is_bundle():
            raise _NoOpenVino(
                f"{converted_root(shipped_in) if shipped_in else 'this bundle'} has no converted "
                "network of it that is sound and of this release"
            )
        found = converted.find(root, origin)
        if found is None:
            try:
                convert_apart(
                    self.config.model, self.models_dir, self.on_progress, self.should_stop
                )
            except ConversionFailed as error:
                raise _NoOpenVino(f"the model could not be converted: {error}") from error
            found = converted.find(root, origin)
        if found is None:
            raise _NoOpenVino(f"the converted model did not last in {root}")
        return found

    def _with_torch(self, device: str, remarks: tuple[str, ...]) -> Started:
        try:
            from sidecar.runtimes import torch_runtime  # noqa: PLC0415

            module = importlib.import_module(f"sidecar.models.{self.installed.card.network}")
        except ImportError as error:
            raise DeviceError(
                "; ".join((*remarks, f"but torch cannot be imported: {error}")),
                kind="device_unavailable",
            ) from error

        def load_network() -> Network:
            network: Network = module.load(self.installed.weights)
            return network

        def load() -> Runtime:
            return torch_runtime.TorchRuntime(load_network(), device, self.config.threads)

        waveform = self_test.waveform()
        name = self_test.reference_name(self.made_by, waveform)
        shipped_in = self.installed.shipped_in
        reference = self_test.keep_reference(
            references_dir(self.models_dir) / name,
            lambda: torch_runtime.reference_embedding(load_network(), waveform),
            shipped=references_dir(shipped_in) / name if shipped_in else None,
        )
        started = self._tested(load, device, reference)
        return Started(started.runtime, started.self_test, remarks)

    def _tested(
        self, load: Callable[[], Runtime], device: str, reference: self_test.DoubleArray
    ) -> Started:
        """Load a runtime, and see that it computes the reference."""
        waveform = self_test.waveform()
        what = "the model"
        try:
            self.on_progress(Progress("load", 0, 1, "models"))
            runtime = load()
            self.on_progress(Progress("load", 1, 1, "models"))
            what = "a second of audio"
            self.on_progress(Progress("warmup", 0, 1, "passes"))
            # Of two lengths where it takes several: what masks the shorter one is tested too.
            batch = [waveform, waveform[:-1000]][: runtime.batch_limits.max_items]
            runtime.embed(batch)  # the first call allocates, and selects kernels
            embedding = runtime.embed(batch)[0]
            result = self_test.compare(embedding, reference, runtime.precision)
            self.on_progress(Progress("warmup", 1, 1, "passes"))
        except OutOfMemory as error:
            raise DeviceError(
                f"{device} has too little free memory for {what}; close what else uses it",
                kind="out_of_memory",
            ) from error
        if not result.passed:
            raise DeviceError(
                f"the self-test on {device} failed: cosine {result.cosine:.6f} to the "
                f"reference, at least {self_test.MIN_COSINE[runtime.precision]} is needed; it "
                "computes wrong results",
                kind="self_test_failed",
            )
        return Started(runtime, result)


class _NoOpenVino(Exception):
    """OpenVINO cannot be had here; the text is a phrase that says why."""
