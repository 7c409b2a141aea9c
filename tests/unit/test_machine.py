"""Whether torch has to be asked, and imported, to know which device serves."""

from __future__ import annotations

import importlib.util
import types

import psutil
import pytest

from sidecar.config import Config
from sidecar.hardware import (
    cpu,
    machine,
    nvidia,
    torch_build,
)
from sidecar.hardware.device import Card, Driver, TorchBuild

DRIVER = Driver("581.29", (13, 0), (Card("RTX 4070", (8, 9)),))
CUDA = TorchBuild("2.14.1+cu130", "13.0", None)
CPU_ONLY = TorchBuild("2.14.1+cpu", None, None)
ONNX = "sidecar.engine.onnx_library"
OPENVINO = "sidecar.engine.openvino_library"
BOTH = ("onnxruntime", "openvino")


@pytest.fixture
def arrange(monkeypatch):
    def arrange_it(driver=None, build=CUDA, installed=BOTH):
        monkeypatch.setattr(nvidia, "driver", lambda: driver)
        monkeypatch.setattr(torch_build, "installed_build", lambda: build)
        monkeypatch.setattr(torch_build, "is_installed", lambda: build is not None)
        found = {name: object() for name in installed}
        monkeypatch.setattr(importlib.util, "find_spec", found.get)

    return arrange_it


@pytest.mark.parametrize(
    ("options", "driver", "build", "asked"),
    [
        ({}, DRIVER, CUDA, True),
        ({"device": "cuda:1"}, DRIVER, CUDA, True),
        ({"gpu": True}, DRIVER, CUDA, True),
        ({"runtime": "torch"}, DRIVER, CUDA, True),
        ({}, None, CUDA, False),
        ({"device": "cuda"}, None, CUDA, False),
        ({}, DRIVER, CPU_ONLY, False),
        ({}, DRIVER, None, False),
        ({"device": "cpu"}, DRIVER, CUDA, False),
        ({"runtime": "openvino"}, DRIVER, CUDA, False),
        ({"runtime": "onnxruntime"}, DRIVER, CUDA, False),
    ],
)
def test_torch_is_asked_only_where_a_gpu_may_serve(arrange, options, driver, build, asked):
    arrange(driver, build)
    assert machine.asks_torch(Config(**options)) is asked


def test_without_torch_what_its_files_say_is_known(arrange):
    arrange(driver=None)
    known = machine.facts(Config())
    assert (known.torch, known.driver, known.gpus) == (CUDA, None, ())


@pytest.mark.parametrize(
    ("options", "driver", "installed", "libraries"),
    [
        ({}, None, BOTH, (ONNX,)),
        ({}, None, ("openvino",), ("torch",)),
        ({}, DRIVER, BOTH, ("torch", ONNX)),
        ({"device": "cpu"}, DRIVER, BOTH, (ONNX,)),
        ({"precision": "bf16"}, None, BOTH, (OPENVINO, ONNX)),
        ({"precision": "bf16"}, None, ("onnxruntime",), (ONNX,)),
        ({"precision": "bf16"}, None, (), ("torch",)),
        ({"precision": "int8"}, None, BOTH, (ONNX,)),
        ({"runtime": "torch"}, None, BOTH, ("torch",)),
        ({"runtime": "openvino"}, None, BOTH, (OPENVINO,)),
        ({"runtime": "openvino"}, None, ("onnxruntime",), ()),
        ({"runtime": "onnxruntime"}, None, BOTH, (ONNX,)),
        ({"runtime": "onnxruntime"}, None, ("openvino",), ()),
    ],
)
def test_the_libraries_that_are_imported_first(arrange, options, driver, installed, libraries):
    arrange(driver, installed=installed)
    assert machine.libraries(Config(**options)) == libraries


def test_the_installed_torch_is_read_not_imported(monkeypatch, tmp_path):
    (tmp_path / "version.py").write_text("__version__ = '9.8+cu999'\ncuda = '99.9'\n")
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert torch_build.installed_build() == TorchBuild("9.8+cu999", "99.9", None)
    (tmp_path / "version.py").unlink()
    assert torch_build.installed_build() is None
    assert torch_build.is_installed()


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (3, 2), (8, 7)])
def test_one_core_of_several_is_left_free(monkeypatch, cores, threads):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64), raising=False)
    assert cpu.n_cores() == cores
    assert cpu.default_threads() == threads


def test_only_cores_that_the_process_may_use_count(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert cpu.n_cores() == 2


def test_the_vector_instructions_have_a_name():
    assert cpu.cpu().simd in {"AVX512", "AVX2", "SVE", "NEON", "DEFAULT"}
