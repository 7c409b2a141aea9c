"""What a run found, and the same as JSON."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sidecar import __version__
from sidecar.tools.bench.engines.engine import About
from sidecar.tools.bench.figures import Spread, spread
from sidecar.tools.bench.load import Load, busy_warning
from sidecar.tools.bench.plan import Plan


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: ``x`` is a length in seconds, a number of utterances, or 0."""

    measure: str
    x: float
    contender: str
    unit: str
    spread: Spread


@dataclass(frozen=True, slots=True)
class Member:
    """A contender that was measured."""

    name: str
    kind: str
    device: str
    about: About


@dataclass(slots=True)
class Findings:
    """Grows while the run lasts. ``health`` is what the first sidecar reported of itself."""

    health: dict[str, Any]
    members: list[Member] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # Of the network alone, by the utterance's seconds.
    flop: dict[float, int] = field(default_factory=dict)

    def add(
        self, measure: str, x: float, contender: str, unit: str, values: Sequence[float]
    ) -> None:
        """Add the figure of these values."""
        self.figures.append(Figure(measure, x, contender, unit, spread(values)))

    def median(self, measure: str, x: float, contender: str) -> float | None:
        """The median that was found, if it was."""
        for figure in self.figures:
            if (figure.measure, figure.x, figure.contender) == (measure, x, contender):
                return figure.spread.median
        return None


def as_json(plan: Plan, findings: Findings, load: Load) -> dict[str, Any]:
    """Everything, as the tables and the picture take it."""
    device, model = findings.health["device"], findings.health["model"]
    busy = busy_warning(load, device["cpu"]["cores"])
    return {
        "speaker_sidecar": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": device["cpu"],
        "gpus": device["gpus"],
        "driver": device["driver"],
        "versions": _versions(device, findings.members),
        "load": dataclasses.asdict(load),
        "warnings": [*([busy] if busy else []), *findings.warnings],
        "model": {"id": model["id"], "fingerprint": model["fingerprint"]},
        "threads": plan.threads,
        "pause_s": plan.pause_s,
        "extent": dataclasses.asdict(plan.extent),
        "network_flop": [{"seconds": x, "flop": flop} for x, flop in findings.flop.items()],
        "contenders": [dataclasses.asdict(member) for member in findings.members],
        "figures": [
            {
                "measure": figure.measure,
                "x": figure.x,
                "contender": figure.contender,
                "unit": figure.unit,
                **dataclasses.asdict(figure.spread),
            }
            for figure in findings.figures
        ],
    }


def _versions(device: Mapping[str, Any], members: Sequence[Member]) -> dict[str, str]:
    versions = {"torch": device["torch"]} if device.get("torch") else {}
    for member in members:
        versions |= member.about.versions
    return versions
