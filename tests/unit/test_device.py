from __future__ import annotations

import pytest

from protocol.errors import DeviceError
from protocol.reports import Gpu
from sidecar.device import DEVICE_PATTERN, CudaFacts, choose

CPU_ONLY = CudaFacts("2.14.1+cpu", None, ())
NO_DRIVER = CudaFacts("2.14.1", "13.0", (), "Found no NVIDIA driver")
ONE_GPU = CudaFacts("2.14.1", "13.0", (Gpu(0, "RTX 4070", 8 * 2**30, 7 * 2**30, "8.9"),))


@pytest.mark.parametrize(
    ("requested", "facts", "selected", "reason"),
    [
        ("cpu", ONE_GPU, "cpu", "the CPU serves, as --device cpu asks"),
        ("auto", ONE_GPU, "cuda:0", "RTX 4070 with 8 GiB serves"),
        ("cuda", ONE_GPU, "cuda:0", "RTX 4070 with 8 GiB serves"),
        ("cuda:0", ONE_GPU, "cuda:0", "RTX 4070 with 8 GiB serves"),
        ("auto", CPU_ONLY, "cpu", "the CPU serves: torch 2.14.1+cpu is a CPU-only build"),
        (
            "auto",
            NO_DRIVER,
            "cpu",
            (
                "the CPU serves: torch 2.14.1 for CUDA 13.0 finds no usable NVIDIA GPU "
                "(Found no NVIDIA driver)"
            ),
        ),
    ],
)
def test_the_choice_and_its_reason(requested, facts, selected, reason):
    choice = choose(requested, wants_gpu=False, facts=facts)
    assert (choice.selected, choice.reason, choice.degraded) == (selected, reason, None)


def test_a_gpu_that_was_wished_for_and_is_not_there_degrades():
    choice = choose("auto", wants_gpu=True, facts=CPU_ONLY)
    assert choice.selected == "cpu"
    assert choice.degraded == choice.reason


@pytest.mark.parametrize(
    ("requested", "facts", "why"),
    [
        ("cuda", CPU_ONLY, "CPU-only build"),
        ("cuda", NO_DRIVER, "no usable NVIDIA GPU"),
        ("cuda:1", ONE_GPU, "there is no GPU 1, only 0"),
    ],
)
def test_a_gpu_that_was_demanded_and_is_not_there_is_an_error(requested, facts, why):
    with pytest.raises(DeviceError, match=why) as caught:
        choose(requested, wants_gpu=False, facts=facts)
    assert caught.value.kind == "device_unavailable"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "cuda:0 ", ""])
def test_device_names_that_are_none(name):
    assert DEVICE_PATTERN.fullmatch(name) is None
