"""What the NVIDIA driver says, asked without torch: NVIDIA's management library comes with it."""

from __future__ import annotations

import contextlib

import pynvml

from sidecar.hardware.device import Card, Driver


def driver() -> Driver | None:
    """The NVIDIA driver and its cards; None where none answers."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        cuda = pynvml.nvmlSystemGetCudaDriverVersion()  # 13000 is 13.0
        return Driver(
            version=_text(pynvml.nvmlSystemGetDriverVersion()),
            cuda=(cuda // 1000, cuda % 1000 // 10),
            cards=tuple(_card(index) for index in range(pynvml.nvmlDeviceGetCount())),
        )
    except pynvml.NVMLError:
        return None
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _card(index: int) -> Card:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Card(_text(pynvml.nvmlDeviceGetName(handle)), (major, minor))


def _text(value: str | bytes) -> str:
    # Releases before 11.5 of the binding give bytes.
    return value.decode(errors="replace") if isinstance(value, bytes) else value
