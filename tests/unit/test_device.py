from __future__ import annotations

import pytest

from protocol.errors import DeviceError, OutOfMemory
from protocol.reports import Gpu
from sidecar.config import DEVICE_PATTERN
from sidecar.hardware.device import (
    Card,
    Choice,
    Driver,
    Facts,
    TorchBuild,
    choose,
    cuda_build_command,
    fall_back,
)

CARD = Card("NVIDIA GeForce RTX 4070", (8, 9))
DRIVER = Driver("581.29", (13, 0), (CARD,))
CUDA_BUILD = TorchBuild("2.14.1+cu130", "13.0", (7, 5))
CPU_BUILD = TorchBuild("2.14.1+cpu", None, (0, 0))
GPU = Gpu(0, CARD.name, 12 * 2**30, 11 * 2**30, "8.9")


def facts(system="win32", driver=DRIVER, torch=CUDA_BUILD, gpus=(), **rest):
    return Facts(system, driver, torch, gpus, **rest)


ONE_GPU = facts(gpus=(GPU,))

REASONS = {
    "asked for the CPU": ("cpu", ONE_GPU, "the CPU serves, as --device cpu asks"),
    "a GPU": ("auto", ONE_GPU, "the GPU serves: NVIDIA GeForce RTX 4070 with 12 GiB"),
    "no driver": (
        "auto",
        facts(driver=None),
        "the CPU serves: no NVIDIA driver answers (there is no NVIDIA card, or its driver is to be "
        "installed from nvidia.com/drivers; the CUDA Toolkit is not needed)",
    ),
    "CPU-only build on Windows": (
        "auto",
        facts(torch=CPU_BUILD),
        "the CPU serves: there is NVIDIA GeForce RTX 4070, but torch 2.14.1+cpu is a CPU-only "
        "build; a CUDA build comes with: pip install --force-reinstall torch==2.14.1 "
        "--index-url https://download.pytorch.org/whl/cu130",
    ),
    "CPU-only build on Linux": (
        "auto",
        facts("linux", torch=CPU_BUILD),
        "the CPU serves: there is NVIDIA GeForce RTX 4070, but torch 2.14.1+cpu is a CPU-only "
        "build; a CUDA build comes with: pip install --force-reinstall torch==2.14.1",
    ),
    "the cpu edition of the bundle": (
        "auto",
        facts(torch=None, is_bundle=True),
        "the CPU serves: there is NVIDIA GeForce RTX 4070, but this is the cpu edition, without "
        "the torch that it needs",
    ),
    "driver too old": (
        "auto",
        facts(driver=Driver("470.82", (11, 4), (CARD,))),
        "the CPU serves: there is NVIDIA GeForce RTX 4070, but its driver 470.82 supports CUDA "
        "11.4 at most, and torch 2.14.1+cu130 is built for CUDA 13.0; update the driver from "
        "nvidia.com/drivers",
    ),
    "card too old, which torch opens": (
        "auto",
        facts(gpus=(Gpu(0, "NVIDIA GeForce GTX 1060", 6 * 2**30, 6 * 2**30, "6.1"),)),
        "the CPU serves: NVIDIA GeForce GTX 1060 has compute capability 6.1, and torch "
        "2.14.1+cu130 has no code for cards below 7.5",
    ),
    "card too old, which torch does not open": (
        "auto",
        facts(driver=Driver("581.29", (13, 0), (Card("NVIDIA GeForce GTX 1060", (6, 1)),))),
        "the CPU serves: NVIDIA GeForce GTX 1060 has compute capability 6.1, and torch "
        "2.14.1+cu130 has no code for cards below 7.5",
    ),
    "hidden": (
        "auto",
        facts(visible_devices="-1"),
        "the CPU serves: there is NVIDIA GeForce RTX 4070, but the environment has "
        "CUDA_VISIBLE_DEVICES='-1', which hides it; unset it",
    ),
    "anything else": (
        "auto",
        facts(fault="CUDA unknown error"),
        "the CPU serves: there is NVIDIA GeForce RTX 4070, but torch 2.14.1+cu130 cannot open it: "
        "CUDA unknown error",
    ),
    "a driver without a card": (
        "auto",
        facts(driver=Driver("581.29", (13, 0), ())),
        "the CPU serves: there is no card, but torch 2.14.1+cu130 cannot open it",
    ),
}


@pytest.mark.parametrize(("requested", "known", "reason"), REASONS.values(), ids=REASONS)
def test_the_reason(requested, known, reason):
    choice = choose(requested, wants_gpu=False, facts=known)
    assert choice.reason == reason
    assert choice.selected == ("cuda:0" if reason.startswith("the GPU") else "cpu")
    assert choice.degraded is None


@pytest.mark.parametrize("requested", ["cuda", "cuda:0"])
def test_a_gpu_that_is_demanded_and_there_serves(requested):
    assert choose(requested, wants_gpu=False, facts=ONE_GPU).selected == "cuda:0"


def test_a_gpu_that_was_wished_for_and_is_not_there_degrades():
    choice = choose("auto", wants_gpu=True, facts=facts(driver=None))
    assert choice.selected == "cpu"
    assert choice.degraded == choice.reason


@pytest.mark.parametrize(
    ("requested", "known", "why"),
    [
        ("cuda", facts(torch=CPU_BUILD), "CPU-only build"),
        ("cuda", facts(driver=None), "no NVIDIA driver"),
        ("cuda:1", ONE_GPU, "there is no GPU 1, only 0"),
    ],
)
def test_a_gpu_that_was_demanded_and_is_not_there_is_an_error(requested, known, why):
    with pytest.raises(DeviceError, match=why) as caught:
        choose(requested, wants_gpu=False, facts=known)
    assert caught.value.kind == "device_unavailable"


TRIED = Choice("cuda:0", "the GPU serves")
NO_MEMORY = OutOfMemory("cuda:0 has too little free memory")
BAD_SELF_TEST = DeviceError("its self-test failed: cosine 0.83", kind="self_test_failed")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            NO_MEMORY,
            "the CPU serves: a GPU was tried, but cuda:0 has too little free memory",
        ),
        (
            BAD_SELF_TEST,
            "the CPU serves: a GPU was tried, but its self-test failed: cosine 0.83",
        ),
    ],
)
def test_a_gpu_that_cannot_be_brought_to_serve_is_left(error, reason):
    choice = fall_back("auto", wants_gpu=True, failed=TRIED, error=error)
    assert (choice.selected, choice.reason, choice.degraded) == ("cpu", reason, reason)


def test_a_demanded_gpu_is_not_replaced():
    with pytest.raises(DeviceError, match="too little free memory"):
        fall_back("cuda", wants_gpu=False, failed=TRIED, error=NO_MEMORY)


def test_after_the_cpu_there_is_nothing_left():
    with pytest.raises(DeviceError, match="self-test failed"):
        fall_back("auto", False, Choice("cpu", "the CPU serves"), BAD_SELF_TEST)


@pytest.mark.parametrize(
    ("version", "index"),
    [("2.14.1", "cu130"), ("2.11.0+cpu", "cu130"), ("2.8.0", "cu128"), ("2.6.0", "cu124")],
)
def test_the_cuda_build_for_each_torch(version, index):
    command = cuda_build_command(facts(torch=TorchBuild(version, None, (0, 0))))
    assert command.endswith(
        f"torch=={version.partition('+')[0]} --index-url https://download.pytorch.org/whl/{index}"
    )


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "cuda:0 ", ""])
def test_device_names_that_are_none(name):
    assert DEVICE_PATTERN.fullmatch(name) is None
