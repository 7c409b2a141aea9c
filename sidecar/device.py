"""Which device serves, and why: pure. The facts come from a runtime, which has asked the system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import DeviceError

if TYPE_CHECKING:
    from protocol.reports import Gpu

DEVICE_PATTERN = re.compile(r"auto|cpu|cuda(:\d+)?")


@dataclass(frozen=True, slots=True)
class CudaFacts:
    """What torch says about CUDA. ``built_for``: the CUDA release of this build, None: none."""

    torch: str
    built_for: str | None
    gpus: tuple[Gpu, ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The device that serves, as torch names it, and the reason, as a person understands it.

    ``degraded`` says what is missing, where a GPU was asked for and the CPU serves.
    """

    selected: str
    reason: str
    degraded: str | None = None


def choose(requested: str, wants_gpu: bool, facts: CudaFacts) -> Choice:
    """Choose for ``--device requested`` and, if ``wants_gpu``, ``--gpu``.

    Raises:
        DeviceError: a CUDA device was demanded and is not there (kind ``device_unavailable``).
    """
    if requested == "cpu":
        return Choice("cpu", "the CPU serves, as --device cpu asks")
    index = int(requested[5:]) if requested.startswith("cuda:") else 0
    gpu = next((gpu for gpu in facts.gpus if gpu.index == index), None)
    if gpu is not None:
        memory_gib = gpu.memory_total_bytes / 2**30
        return Choice(f"cuda:{index}", f"{gpu.name} with {memory_gib:.0f} GiB serves")
    why_not = _why_no_gpu(index, facts)
    if requested != "auto":
        raise DeviceError(
            f"--device {requested} cannot be had: {why_not}; "
            "with --device auto the CPU would serve",
            kind="device_unavailable",
        )
    reason = f"the CPU serves: {why_not}"
    return Choice("cpu", reason, degraded=reason if wants_gpu else None)


def _why_no_gpu(index: int, facts: CudaFacts) -> str:
    if facts.built_for is None:
        return f"torch {facts.torch} is a CPU-only build"
    if facts.gpus:
        return f"there is no GPU {index}, only {', '.join(str(gpu.index) for gpu in facts.gpus)}"
    detail = f" ({facts.fault})" if facts.fault else ""
    return f"torch {facts.torch} for CUDA {facts.built_for} finds no usable NVIDIA GPU{detail}"
