"""What torch can say about this machine's GPUs; it is imported only where one may serve."""

from __future__ import annotations

import os
import sys
import warnings

import torch

from protocol.reports import Gpu
from sidecar.hardware import nvidia
from sidecar.hardware.device import Facts, TorchBuild


def facts(*, opens_gpus: bool) -> Facts:
    """What is known about CUDA on this machine.

    Without ``opens_gpus`` no GPU is touched: after a fault of one, that may be why the CPU serves.
    """
    gpus, fault = _open_gpus() if opens_gpus else ((), None)
    return Facts(
        system=sys.platform,
        driver=nvidia.driver(),
        torch=TorchBuild(torch.__version__, torch.version.cuda, _oldest_capability()),
        gpus=gpus,
        fault=fault,
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
    )


def _open_gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """The GPUs that torch can open, or what it says where it can open none."""
    if torch.version.cuda is None:
        return (), None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say is in the reason
            torch.cuda.init()  # type: ignore[no-untyped-call]
            return tuple(_gpu(index) for index in range(torch.cuda.device_count())), None
    except (RuntimeError, AssertionError) as error:
        return (), str(error).strip().split("\n", 1)[0]


def _oldest_capability() -> tuple[int, int]:
    numbers = [
        int(name[3:].rstrip("af")) for name in torch.cuda.get_arch_list() if name[:3] == "sm_"
    ]
    return divmod(min(numbers), 10) if numbers else (0, 0)


def _gpu(index: int) -> Gpu:
    properties = torch.cuda.get_device_properties(index)
    free_bytes, total_bytes = torch.cuda.mem_get_info(index)
    return Gpu(
        index=index,
        name=properties.name,
        memory_total_bytes=total_bytes,
        memory_free_bytes=free_bytes,
        compute_capability=f"{properties.major}.{properties.minor}",
    )
