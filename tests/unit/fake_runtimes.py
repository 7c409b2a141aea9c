"""An encoder on a machine of the test's making: no library that computes is imported."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np

import sidecar.engine
from protocol.errors import OutOfMemory
from protocol.reports import Gpu
from sidecar.config import Config
from sidecar.engine import loading
from sidecar.engine.batch_limits import ONE_BY_ONE
from sidecar.engine.encoder import open_encoder
from sidecar.engine.export_process import ConversionFailed
from sidecar.hardware import machine
from sidecar.hardware.device import (
    Card,
    Driver,
    Facts,
    TorchBuild,
)
from sidecar.store.catalog import MODELS
from sidecar.store.converted_files import Converted
from sidecar.store.installed import InstalledModel

CARD = MODELS["campplus-zh-en"]
RIGHT = np.array([1.0, 2.0, 3.0])
WRONG = np.array([1.0, 2.0, -3.0])
BUILD = TorchBuild("2.14.1", "13.0", (7, 5))
GPU = Gpu(0, "RTX 4070", 12 * 2**30, 11 * 2**30, "8.9")
WITH_GPU = Facts("linux", Driver("581.29", (13, 0), (Card("RTX 4070", (8, 9)),)), BUILD, (GPU,))
WITHOUT_GPU = Facts("linux", None, BUILD)


class FakeRuntime:
    """Gives what it is told to give."""

    batch_limits = ONE_BY_ONE
    version = "1.2.3"
    peak_reserved_bytes = None

    def __init__(self, name, device, n_threads, precision, gives):
        self.name = name
        self.device = device
        self.n_threads = n_threads or 1
        self.precision = precision
        self.gives = gives

    def rest(self):
        pass

    def embed(self, waveforms):
        if isinstance(self.gives, Exception):
            raise self.gives
        return np.broadcast_to(self.gives, (len(waveforms), 3)).astype(np.float32)


class FakeConverted(Converted):
    """Files that nobody reads."""

    def references(self):
        return np.stack([RIGHT, RIGHT])


class FakeMachine:
    """Opens encoders.

    gpu_gives, cpu_gives: what torch computes there, or what it raises; ``OutOfMemory`` itself: the
        model does not fit. onnx_gives, openvino_gives: the same; an ImportError: it is not
        installed.
    int8_gives: what ONNX Runtime computes in int8. weights_sha256: of the model's weights.
    converts: what a conversion ends with: None (it is there then), or why it failed.
    has_bf16: whether the CPU has the instructions.
    prebuilt_in: the folder that the model came ready to serve in; is_prebuilt: it is still sound.
    """

    def __init__(self, monkeypatch, folder):
        self.folder = folder
        self.facts = WITHOUT_GPU
        self.gpu_gives = self.cpu_gives = self.onnx_gives = self.openvino_gives = RIGHT
        self.int8_gives = RIGHT
        self.weights_sha256 = "0" * 64
        self.is_converted = True
        self.converts = None
        self.has_bf16 = True
        self.prebuilt_in = None
        self.is_prebuilt = True
        self.converted = None
        self.conversions = []
        self.progress = []
        self._monkeypatch = monkeypatch
        torch_runtime = SimpleNamespace(
            TorchRuntime=self._torch, reference_embeddings=lambda *_: np.stack([RIGHT, RIGHT])
        )
        network = SimpleNamespace(load=lambda path: None)
        self._replace("sidecar.networks.campplus", network)
        self._replace("sidecar.engine.torch_runtime", torch_runtime)
        monkeypatch.setattr(machine, "facts", lambda config: self.facts)
        monkeypatch.setattr(loading, "convert_apart", self._convert)
        monkeypatch.setattr(loading.converted_files, "find", self._find)

    def open(self, **options):
        onnx_runtime = SimpleNamespace(OnnxRuntime=self._onnx)
        openvino_runtime = SimpleNamespace(
            OpenVinoRuntime=self._openvino,
            has_instructions_for=lambda precision: precision == "f32" or self.has_bf16,
        )
        self._replace("sidecar.engine.openvino_library", SimpleNamespace(VERSION="9.9"))
        for name, gives, fake in (
            ("onnx", self.onnx_gives, onnx_runtime),
            ("openvino", self.openvino_gives, openvino_runtime),
        ):
            is_missing = isinstance(gives, ImportError)
            self._replace(f"sidecar.engine.{name}_runtime", None if is_missing else fake)
        config = Config(model=CARD.id, **options)
        weights = self.folder / "weights"
        installed = InstalledModel(CARD, weights, self.weights_sha256, self.prebuilt_in)
        return open_encoder(config, installed, self.folder, self.progress.append)

    def _replace(self, name, fake):
        self._monkeypatch.setitem(sys.modules, name, fake)
        if name.startswith("sidecar.engine."):
            last = name.rpartition(".")[2]
            if fake is None:
                self._monkeypatch.delattr(sidecar.engine, last, raising=False)
            else:
                self._monkeypatch.setattr(sidecar.engine, last, fake, raising=False)

    def _torch(self, network, device, n_threads):
        gives = self.cpu_gives if device == "cpu" else self.gpu_gives
        if gives is OutOfMemory:
            raise OutOfMemory("no")
        return FakeRuntime("torch", device, n_threads, "f32", gives)

    def _onnx(self, converted, n_threads, precision):
        self.converted = converted
        gives = self.int8_gives if precision == "int8" else self.onnx_gives
        if isinstance(gives, Exception):
            raise gives
        return FakeRuntime("onnxruntime", "cpu", n_threads, precision, gives)

    def _openvino(self, converted, n_threads, wished):
        self.converted = converted
        if isinstance(self.openvino_gives, Exception):
            raise self.openvino_gives
        precision = wished if self.has_bf16 else "f32"
        return FakeRuntime("openvino", "cpu", n_threads, precision, self.openvino_gives)

    def _convert(self, model, runtime, models_dir, *_, precision):
        self.conversions.append((model, runtime, precision, models_dir))
        if self.converts is not None:
            raise ConversionFailed(self.converts)
        self.is_converted = True

    def _find(self, root, origin, *, is_own=True):
        is_there = self.is_converted
        if self.prebuilt_in is not None and root.is_relative_to(self.prebuilt_in):
            assert not is_own, "a bundle's files are not the user's"
            is_there = self.is_prebuilt
        else:
            assert root.is_relative_to(self.folder)
        return FakeConverted(root / "made", root / "made" / "compiled") if is_there else None
