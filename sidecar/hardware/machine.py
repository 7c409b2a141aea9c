"""What decides on this machine which device and which runtime serve; torch is asked last."""

from __future__ import annotations

import importlib.util
import os
import sys

from sidecar.bundle import is_bundle
from sidecar.config import CPU_RUNTIMES, Config, CpuRuntime
from sidecar.hardware import nvidia, torch_build
from sidecar.hardware.device import Facts

# Not by their own names, since they are to be told first what they may do.
_LIBRARIES: dict[CpuRuntime, str] = {
    "onnxruntime": "sidecar.engine.onnx_library",
    "openvino": "sidecar.engine.openvino_library",
}


def facts(config: Config) -> Facts:
    """What is known about CUDA, as far as ``config`` leaves it open whether a GPU serves."""
    if asks_torch(config):
        from sidecar.hardware import torch_gpus  # noqa: PLC0415

        return torch_gpus.facts(opens_gpus=True)
    return Facts(
        system=sys.platform,
        driver=nvidia.driver(),
        torch=torch_build.installed_build(),
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        is_bundle=is_bundle(),
    )


def asks_torch(config: Config) -> bool:
    """Whether a GPU may serve: there are a driver and a torch that is no CPU-only build.

    Otherwise torch need not be imported to know what it would say.
    """
    if config.device == "cpu" or config.runtime in CPU_RUNTIMES or nvidia.driver() is None:
        return False
    build = torch_build.installed_build()
    is_cpu_only = build is not None and build.cuda is None
    return torch_build.is_installed() and not is_cpu_only


def cpu_runtimes(config: Config) -> tuple[CpuRuntime, ...]:
    """What may run the network on the CPU, the best first; where none can, torch does."""
    if config.runtime == "torch":
        return ()
    if config.runtime != "auto":
        return (config.runtime,)
    # OpenVINO alone computes in bf16, in half of the time.
    return ("openvino", "onnxruntime") if config.precision == "bf16" else ("onnxruntime",)


def libraries(config: Config) -> tuple[str, ...]:
    """The libraries to import before anything is loaded, as far as it is known what will run.

    Where nothing else is installed torch will run it, unless something else was demanded. What is
    not installed is left to the start, which says so.
    """
    torch = ("torch",) if torch_build.is_installed() else ()
    found = [name for name in cpu_runtimes(config) if importlib.util.find_spec(name) is not None]
    if not found and config.runtime not in CPU_RUNTIMES:
        return torch
    on_gpu = torch if asks_torch(config) else ()
    return (*on_gpu, *(_LIBRARIES[name] for name in found))
