from __future__ import annotations

import pynvml
import pytest

from sidecar.hardware import nvidia
from sidecar.hardware.device import Card, Driver


@pytest.fixture
def nvml(monkeypatch):
    """A driver with one card."""
    calls = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetCudaDriverVersion": lambda: 12040,
        "nvmlSystemGetDriverVersion": lambda: "550.54",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: b"NVIDIA A2",
        "nvmlDeviceGetCudaComputeCapability": lambda handle: (8, 6),
    }
    for name, call in calls.items():
        monkeypatch.setattr(pynvml, name, call)
    return monkeypatch


def fail(*_):
    raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)


def test_a_driver_and_its_card(nvml):
    assert nvidia.driver() == Driver("550.54", (12, 4), (Card("NVIDIA A2", (8, 6)),))


@pytest.mark.parametrize("broken", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetName"])
def test_a_driver_that_does_not_answer_is_none(nvml, broken):
    nvml.setattr(pynvml, broken, fail)
    assert nvidia.driver() is None


def test_a_driver_that_cannot_be_let_go_was_there(nvml):
    nvml.setattr(pynvml, "nvmlShutdown", fail)
    assert nvidia.driver() is not None
