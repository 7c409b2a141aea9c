"""Which device serves, and why, in a sentence that a user understands: pure.

The facts come from ``machine``, which has asked the system; here they are weighed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from protocol.errors import DeviceError, SidecarError
from protocol.reports import Gpu

DRIVER_PAGE = "nvidia.com/drivers"
WHEEL_INDEX = "https://download.pytorch.org/whl"

# The CUDA release that PyTorch's own index offers a torch release for; the first match from the
# top. PyPI's Windows wheels are CPU-only, so there it has to be named.
_CUDA_BUILDS = (((2, 11), "cu130"), ((2, 7), "cu128"), ((0, 0), "cu124"))


@dataclass(frozen=True, slots=True)
class Card:
    """An NVIDIA card as its driver sees it; ``capability`` is its compute capability."""

    name: str
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Driver:
    """The NVIDIA driver, the newest CUDA release that it supports, and its cards."""

    version: str
    cuda: tuple[int, int]
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """What torch was built for: a CUDA release or None, and cards since ``oldest_capability``.

    That is None where torch was not imported, since no card can serve.
    """

    version: str
    cuda: str | None
    oldest_capability: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about this machine.

    ``torch`` is None where it is not installed. ``gpus`` are those that it can open; ``fault`` is
    what it said where it can open none.
    ``visible_devices`` is the environment's ``CUDA_VISIBLE_DEVICES``; None: not set.
    ``is_bundle``: nothing can be installed beside this program.
    """

    system: str
    driver: Driver | None
    torch: TorchBuild | None
    gpus: tuple[Gpu, ...] = ()
    fault: str | None = None
    visible_devices: str | None = None
    is_bundle: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The device that serves, as torch names it, and the reason.

    ``degraded`` says what is missing, where a GPU was asked for and the CPU serves.
    """

    selected: str
    reason: str
    degraded: str | None = None


def choose(requested: str, wants_gpu: bool, facts: Facts) -> Choice:
    """Choose for ``--device requested`` and, if ``wants_gpu``, ``--gpu``.

    Raises:
        DeviceError: a CUDA device was demanded and is not there (kind ``device_unavailable``).
    """
    if requested == "cpu":
        return Choice("cpu", "the CPU serves, as --device cpu asks")
    index = int(requested[5:]) if requested.startswith("cuda:") else 0
    gpu = next((gpu for gpu in facts.gpus if gpu.index == index), None)
    why_not = _why_no_gpu(facts) if not facts.gpus else _why_not(gpu, index, facts)
    if why_not is not None:
        return _use_cpu(requested, wants_gpu, why_not)
    assert gpu is not None
    memory_gib = gpu.memory_total_bytes / 2**30
    return Choice(f"cuda:{index}", f"the GPU serves: {gpu.name} with {memory_gib:.0f} GiB")


def fall_back(requested: str, wants_gpu: bool, failed: Choice, error: SidecarError) -> Choice:
    """Choose again, after the device that was chosen could not be brought to serve.

    Raises:
        SidecarError: ``error``, where there is nothing left to choose or the device was demanded.
    """
    if failed.selected == "cpu":
        raise error
    return _use_cpu(requested, wants_gpu, f"a GPU was tried, but {error.message}")


def cuda_build_command(facts: Facts) -> str:
    """What installs a CUDA build of the torch release in use, by pip."""
    assert facts.torch is not None
    release = facts.torch.version.partition("+")[0]
    command = f"pip install --force-reinstall torch=={release}"
    if facts.system != "win32":
        return command  # PyPI's Linux wheels are CUDA builds
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    build = next(name for since, name in _CUDA_BUILDS if numbers >= since)
    return f"{command} --index-url {WHEEL_INDEX}/{build}"


def _use_cpu(requested: str, wants_gpu: bool, why_no_gpu: str) -> Choice:
    if requested != "auto":
        _refuse(requested, why_no_gpu)
    reason = f"the CPU serves: {why_no_gpu}"
    return Choice("cpu", reason, degraded=reason if wants_gpu else None)


def _refuse(requested: str, why_no_gpu: str) -> NoReturn:
    raise DeviceError(
        f"--device {requested} is unavailable: {why_no_gpu}; with --device auto the CPU would "
        "serve",
        kind="device_unavailable",
    )


def _why_not(gpu: Gpu | None, index: int, facts: Facts) -> str | None:
    if gpu is None:
        present = ", ".join(str(gpu.index) for gpu in facts.gpus)
        return f"there is no GPU {index}, only {present}"
    major, _, minor = gpu.compute_capability.partition(".")
    return _why_too_old(Card(gpu.name, (int(major), int(minor))), facts)


def _why_no_gpu(facts: Facts) -> str:
    torch, driver = facts.torch, facts.driver
    if driver is None:
        return (
            "no NVIDIA driver answers (there is no NVIDIA card, or its driver is to be installed "
            f"from {DRIVER_PAGE}; the CUDA Toolkit is not needed)"
        )
    names = " and ".join(card.name for card in driver.cards) or "no card"
    if torch is None and facts.is_bundle:
        return f"there is {names}, but this is the cpu edition, without the torch that it needs"
    if torch is None:
        return f"there is {names}, but torch, which it needs, is not installed"
    return _why_not_opened(names, driver, torch, facts)


def _why_not_opened(names: str, driver: Driver, torch: TorchBuild, facts: Facts) -> str:
    if torch.cuda is None:
        return (
            f"there is {names}, but torch {torch.version} is a CPU-only build; "
            f"a CUDA build comes with: {cuda_build_command(facts)}"
        )
    if driver.cuda[0] < int(torch.cuda.partition(".")[0]):
        return (
            f"there is {names}, but its driver {driver.version} supports CUDA "
            f"{_dotted(driver.cuda)} at most, and torch {torch.version} is built for CUDA "
            f"{torch.cuda}; update the driver from {DRIVER_PAGE}"
        )
    if facts.visible_devices is not None:
        return (
            f"there is {names}, but the environment has CUDA_VISIBLE_DEVICES="
            f"{facts.visible_devices!r}, which hides it; unset it"
        )
    for card in driver.cards:
        if why := _why_too_old(card, facts):
            return why
    fault = f": {facts.fault}" if facts.fault else ""
    return f"there is {names}, but torch {torch.version} cannot open it{fault}"


def _why_too_old(card: Card, facts: Facts) -> str | None:
    assert facts.torch is not None
    oldest = facts.torch.oldest_capability
    if oldest is None or card.capability >= oldest:
        return None
    return (
        f"{card.name} has compute capability {_dotted(card.capability)}, and torch "
        f"{facts.torch.version} has no code for cards below {_dotted(oldest)}"
    )


def _dotted(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"
