"""Who is measured: from the options to the contenders, in the order in which the tables show them.

The first is the one that all others are compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sidecar.store.installed import find_card
from sidecar.tools.bench.tasks import Extent

# ``wire``: the real sidecar. The others are kinds of workers.
Kind = Literal["wire", "own", "speechbrain", "sherpa-onnx", "product"]
# Each with the network that it runs too.
OTHERS: dict[str, str] = {"speechbrain": "ecapa", "sherpa-onnx": "campplus"}
_TITLES = {
    "wire": "over the wire",
    "own": "in process",
    "speechbrain": "SpeechBrain eager",
    "sherpa-onnx": "sherpa-onnx",
    "product": "torch.mm",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. ``devices``: empty for every one that is present."""

    model: str
    shared_options: tuple[str, ...]
    threads: int
    extent: Extent
    devices: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    variants: tuple[tuple[str, ...], ...] = ((),)
    pause_s: float = 0.25


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender, not yet started.

    ``is_optional``: without it the rest is measured all the same.
    """

    name: str
    kind: Kind
    device: str
    serve_options: tuple[str, ...]
    is_optional: bool


def misfit(model: str, other: str) -> str | None:
    """Why ``other`` cannot run this model, in a sentence, if so; raises ``ModelUnavailable``."""
    if find_card(model).network == OTHERS[other]:
        return None
    fits = {"ecapa": "an ECAPA-TDNN (ecapa-voxceleb, or a folder)", "campplus": "campplus-zh-en"}
    return f"--against {other} runs {fits[OTHERS[other]]}, not {model}"


def entries(plan: Plan, devices: Sequence[str]) -> list[Entry]:
    """The contenders on ``devices``."""
    found = [
        _entry(plan, other, device)
        for other in plan.against
        for device in devices
        if device == "cpu" or other == "speechbrain"
    ]
    for device in devices:
        for variant in plan.variants:
            found += [_entry(plan, kind, device, variant) for kind in ("wire", "own")]
    return found


def yardsticks(plan: Plan, devices: Iterable[str]) -> list[Entry]:
    """One for each device."""
    return [_entry(plan, "product", device) for device in sorted(devices)]


def _entry(plan: Plan, kind: str, device: str, variant: Sequence[str] = ()) -> Entry:
    name = ", ".join((_TITLES[kind], device, *([variant_name(variant)] if variant else [])))
    options = (*plan.shared_options, "--device", device, "--threads", str(plan.threads), *variant)
    # What the options name must run. A device that was merely found need not, nor need a variant
    # on it: a GPU has no OpenVINO.
    is_named = device in plan.devices or (device == "cpu" and not plan.devices)
    return Entry(name, kind, device, options, is_optional=kind == "product" or not is_named)  # type: ignore[arg-type]


def variant_name(variant: Sequence[str]) -> str:
    """``--runtime openvino --background`` -> ``runtime openvino background``."""
    return " ".join(word.removeprefix("--").replace("=", " ") for word in variant)
