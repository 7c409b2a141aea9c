"""Brings a model to serve on a device: which runtime, what it needs, and whether it is right."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import DeviceError, OutOfMemory
from protocol.reports import Progress, SelfTest
from sidecar.bundle import is_bundle
from sidecar.config import Config, CpuRuntime, Precision
from sidecar.engine import device_check
from sidecar.engine.export_process import ConversionFailed, convert_apart
from sidecar.engine.runtime import Runtime
from sidecar.hardware import machine
from sidecar.store import converted_files
from sidecar.store.catalog import MODELS
from sidecar.store.converted_files import Converted, Origin
from sidecar.store.installed import InstalledModel

if TYPE_CHECKING:
    from sidecar.engine.torch_runtime import Network

# Every release of ONNX Runtime reads what is made for it.
ONNX_VERSION = f"opset {converted_files.ONNX_OPSET}"
_TITLES: Mapping[CpuRuntime, str] = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
# What it means for the user where it cannot serve, and the next one has to.
_IN_F32 = "in f32"
_WITHOUT: Mapping[CpuRuntime, str] = {"onnxruntime": "torch runs it", "openvino": _IN_F32}
# What each can compute in, beside f32.
_FEWER_BITS: Mapping[CpuRuntime, Precision] = {"onnxruntime": "int8", "openvino": "bf16"}

_CONVERTED_DIR = ".converted"
_REFERENCES_DIR = ".self-test"


@dataclass(frozen=True, slots=True)
class Loaded:
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


def converted_origin(
    made_by: str, runtime: CpuRuntime, version: str, precision: Precision = "f32"
) -> Origin:
    """What the conversion of the model with the fingerprint ``made_by`` depends on."""
    return Origin(made_by, runtime, version, device_check.reference_name(made_by), precision)


def require_int8(installed: InstalledModel, runtime: CpuRuntime) -> None:
    """Raise DeviceError where this model is not to run in int8."""
    if runtime != "onnxruntime":
        raise DeviceError(_is_for("int8"))
    measured = MODELS["ecapa-voxceleb"]  # what 8 bits do to scores is known for these weights
    if installed.weights_sha256 != measured.files[0].sha256:
        raise DeviceError(f"int8 is for the weights of {measured.id} alone")
    if is_bundle():
        raise DeviceError("bundles carry networks in f32 alone")


@dataclass(frozen=True, slots=True)
class ModelLoader:
    """One model on its way to serve, as ``config`` asks; several devices may be tried.

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

    def load_on(self, device: str) -> Loaded:
        """A runtime that serves on ``device``.

        Raises:
            ModelUnavailable: the weights do not fit the network, or it was stopped.
            DeviceError: none can serve, or not the one that was demanded.
        """
        remarks: list[str] = []
        for name, precision in self._ways() if device == "cpu" else ():
            loaded = self._or_remark(name, precision, remarks)
            if loaded is not None:
                return self._with_remarks(loaded, remarks)
        return self._with_remarks(self._with_torch(device, remarks), remarks)

    def _ways(self) -> Iterator[tuple[CpuRuntime, Precision]]:
        """Runtimes for the CPU, and in what each is to compute, the best first."""
        wished = self.config.precision
        for name in machine.cpu_runtimes(self.config):
            if wished == _FEWER_BITS[name]:
                yield name, wished
            if (name, wished) != ("openvino", "bf16"):  # which falls back to f32 by itself
                yield name, "f32"

    def _or_remark(
        self, name: CpuRuntime, precision: Precision, remarks: list[str]
    ) -> Loaded | None:
        """What serves with this runtime, or a remark on why that cannot be had."""
        try:
            return self._with_cpu_runtime(name, precision)
        except (DeviceError, _Unavailable) as error:
            why = error.message if isinstance(error, DeviceError) else str(error)
            if self.config.runtime == name and precision != "int8":
                raise DeviceError(
                    f"--runtime {name} is unavailable: {why}; with --runtime auto another would "
                    "serve",
                    kind="device_unavailable",
                ) from error
            without = _IN_F32 if precision == "int8" else _WITHOUT[name]
            remarks.append(f"{without}, since {why}")
        return None

    def _with_remarks(self, loaded: Loaded, remarks: Sequence[str]) -> Loaded:
        computes, wished = loaded.runtime.precision, self.config.precision
        if computes == wished or any(_IN_F32 in remark for remark in remarks):
            return replace(loaded, remarks=tuple(remarks))
        why = _is_for(wished)
        if (loaded.runtime.name, wished) == ("openvino", "bf16"):
            why = _no_instructions(wished)
        return replace(loaded, remarks=(*remarks, f"in {computes}, since {why}"))

    def _with_cpu_runtime(self, name: CpuRuntime, precision: Precision) -> Loaded:
        title, threads = _TITLES[name], self.config.threads
        try:
            if name == "onnxruntime":
                from sidecar.engine import onnx_runtime  # noqa: PLC0415

                version = ONNX_VERSION
            else:
                from sidecar.engine import openvino_library, openvino_runtime  # noqa: PLC0415

                version = openvino_library.VERSION
        except (ImportError, OSError) as error:
            raise _Unavailable(
                f"{title} cannot be imported ({error}); install it with: pip install {name}"
            ) from error
        # Without them it would compute in f32, which ONNX Runtime does better.
        is_best = name == "onnxruntime" or openvino_runtime.has_instructions_for(precision)
        if self.config.runtime == "auto" and not is_best:
            raise _Unavailable(_no_instructions(precision))
        if precision == "int8":
            require_int8(self.installed, name)
        of_files: Precision = "f32" if name == "openvino" else precision
        model = self._converted(converted_origin(self.made_by, name, version, of_files))

        def load() -> Runtime:
            if name == "onnxruntime":
                return onnx_runtime.OnnxRuntime(model, threads, precision)
            return openvino_runtime.OpenVinoRuntime(model, threads, precision)

        return self._tested(load, "cpu", model.references())

    def _converted(self, origin: Origin) -> Converted:
        root = converted_root(self.models_dir)
        prebuilt_in = self.installed.prebuilt_in
        if prebuilt_in is not None:
            found = converted_files.find(converted_root(prebuilt_in), origin, is_own=False)
            if found is not None:
                return found.compiled_below(root)
        if is_bundle():
            raise _Unavailable(
                f"{converted_root(prebuilt_in) if prebuilt_in else 'this bundle'} has no converted "
                "network of it that is sound and of this release"
            )
        found = converted_files.find(root, origin)
        if found is None:
            try:
                convert_apart(
                    self.config.model,
                    origin.runtime,
                    self.models_dir,
                    self.on_progress,
                    self.should_stop,
                    precision=origin.precision,
                )
            except ConversionFailed as error:
                raise _Unavailable(f"the model could not be converted: {error}") from error
            found = converted_files.find(root, origin)
        if found is None:
            raise _Unavailable(f"the converted model did not last in {root}")
        return found

    def _with_torch(self, device: str, remarks: Sequence[str]) -> Loaded:
        try:
            from sidecar.engine import torch_runtime  # noqa: PLC0415

            module = importlib.import_module(f"sidecar.networks.{self.installed.card.network}")
        except ImportError as error:
            raise DeviceError(
                "; but ".join((*remarks, f"torch cannot be imported: {error}")),
                kind="device_unavailable",
            ) from error

        def load_network() -> Network:
            network: Network = module.load(self.installed.weights)
            return network

        def load() -> Runtime:
            return torch_runtime.TorchRuntime(load_network(), device, self.config.threads)

        name = device_check.reference_name(self.made_by)
        prebuilt_in = self.installed.prebuilt_in
        references = device_check.keep_references(
            references_dir(self.models_dir) / name,
            lambda: torch_runtime.reference_embeddings(load_network(), device_check.waveforms()),
            prebuilt=references_dir(prebuilt_in) / name if prebuilt_in else None,
        )
        return self._tested(load, device, references)

    def _tested(
        self, load: Callable[[], Runtime], device: str, references: device_check.DoubleArray
    ) -> Loaded:
        """Load a runtime, and see that it computes the references."""
        batch = device_check.waveforms()
        what = "the model"
        try:
            self.on_progress(Progress("load", 0, 1, "models"))
            runtime = load()
            self.on_progress(Progress("load", 1, 1, "models"))
            what = "a second of audio"
            self.on_progress(Progress("warmup", 0, 1, "passes"))
            runtime.embed(batch)  # the first call allocates, and selects kernels
            result = device_check.compare(runtime.embed(batch), references, runtime.precision)
            self.on_progress(Progress("warmup", 1, 1, "passes"))
        except OutOfMemory as error:
            raise DeviceError(
                f"{device} has too little free memory for {what}; close what else uses it",
                kind="out_of_memory",
            ) from error
        if not result.passed:
            raise DeviceError(
                f"the self-test on {device} failed: cosine {result.cosine:.6f} to the "
                f"reference, at least {device_check.MIN_COSINE[runtime.precision]} is needed; it "
                "computes wrong results",
                kind="self_test_failed",
            )
        return Loaded(runtime, result)


def _is_for(precision: Precision) -> str:
    """On whom it can be had, as a phrase."""
    [runtime] = [name for name, fewer in _FEWER_BITS.items() if fewer == precision]
    return f"{precision} is for {_TITLES[runtime]} on the CPU alone"


def _no_instructions(precision: str) -> str:
    return f"this CPU has no {precision} instructions"


class _Unavailable(Exception):
    """A runtime is unavailable here; the text is a phrase that says why."""
