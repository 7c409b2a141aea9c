"""The run: starts the contenders, lets them take turns, and makes the report of what they did."""

from __future__ import annotations

import itertools
import operator
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import numpy as np
import psutil

from sidecar import __version__
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.tools.bench.contenders import Contender, Worker, opened
from sidecar.tools.bench.plan import Call, Entry, Extent, Key, Plan, Turn
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.start import started_sidecar

PAUSE_S = 0.25
Value = tuple[str, float, str, float]


def measure(plan: Plan, progress: ProgressLine) -> dict[str, Any]:
    """Measure all of ``plan``; the report, as ``--json`` prints it.

    Raises ``Refusal`` if a contender that the plan names cannot run, and ``RemoteError``.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    psutil.cpu_percent()  # it counts from here on
    began = os.times()
    # The first start may fetch and convert the model, and it tells what this machine has.
    with started_sidecar(plan.serve_options, progress) as (client, _):
        device, model = client.health["device"], client.health["model"]
    devices = plan.devices or ("cpu", *(f"cuda:{gpu['index']}" for gpu in device["gpus"]))
    run = Run(plan.extent, progress)
    able = run.measure_starts(plan.entries(devices))
    sticks = [plan.entry("product", name) for name in sorted({one.device for one in able})]
    with ExitStack() as stack:
        field = [one for entry in able if (one := run.open(entry, stack))]
        yardsticks = [one for entry in sticks if isinstance(one := run.open(entry, stack), Worker)]
        run.measure_memory("ready", field)
        run.measure_tasks(field, yardsticks)
        run.measure_memory("after", field)
        flop = run.measure_shares(field, yardsticks)
    progress.clear()
    # Elsewhere it is not known what our own programs used.
    others = others_cores(psutil.cpu_percent(), began, os.times()) if os.name == "posix" else None
    versions = {"torch": device["torch"]} if device.get("torch") else {}
    for one in field:
        versions |= one.about.versions
    return {
        "speaker_sidecar": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **{key: device[key] for key in ("cpu", "gpus", "driver")},
        "versions": versions,
        "load": {"average_before": load, "others_cores": others},
        "warnings": busy_warnings(load, others, device["cpu"]["cores"]) + run.warnings,
        "model": {key: model[key] for key in ("id", "fingerprint")},
        "threads": plan.threads,
        "pause_s": PAUSE_S,
        "extent": asdict(plan.extent),
        "network_flop": [{"seconds": seconds, "flop": n} for seconds, n in flop.items()],
        "contenders": [
            {key: getattr(one.entry, key) for key in ("name", "kind", "device")}
            | {"about": asdict(one.about)}
            for one in field
        ],
        "figures": [
            {"measure": measure, "x": x, "contender": name, "unit": unit, **spread(values)}
            for (measure, x, name, unit), values in run.values.items()
        ],
    }


class Run:
    """What has been found: ``values`` by measure, x, contender and unit, and ``warnings``."""

    def __init__(self, extent: Extent, progress: ProgressLine) -> None:
        self.values: defaultdict[tuple[str, float, str, str], list[float]] = defaultdict(list)
        self.warnings: list[str] = []
        self._extent, self._progress = extent, progress

    def open(self, entry: Entry, stack: ExitStack) -> Contender | None:
        """The contender; None, and a warning, if it cannot run and the rest does without it."""
        try:
            return stack.enter_context(opened(entry, self._progress))
        except Refusal as refusal:
            if not entry.is_optional:
                raise
            self.warnings.append(f"not measured: {refusal}")
            return None

    def measure_starts(self, entries: Iterable[Entry]) -> list[Entry]:
        """Start each contender some times, none else running; those that can run."""
        able = []
        for entry in entries:
            # The first start does not count: it may read from a cold disk, convert, or export.
            with ExitStack() as stack:
                if self.open(entry, stack):
                    able.append(entry)
        for entry in able * self._extent.n_starts:
            time.sleep(PAUSE_S)
            with opened(entry, self._progress) as contender:
                for state, ms in contender.start_ms.items():
                    self.values[f"start_to_{state}", 0, entry.name, "ms"].append(ms)
        return able

    def measure_memory(self, when: str, field: Iterable[Contender]) -> None:
        """What each contender holds now."""
        for one in field:
            for kind, n_bytes in one.memory().items():
                if n_bytes is not None:
                    self.values[f"{kind}_{when}", 0, one.entry.name, "bytes"].append(n_bytes)

    def measure_tasks(self, field: Sequence[Contender], yardsticks: Sequence[Worker]) -> None:
        """Let all take their turns; the yardsticks do so among single utterances."""
        tasks = self._extent.tasks()
        for n_done, (key, turns) in enumerate(tasks.items()):
            what = f"measuring {key[0].replace('_', ' ')} {key[1]:g}"
            self._progress.show(f"{what} ({n_done + 1} of {len(tasks)})")
            able = [*field, *(yardsticks if key[0] == "latency" else ())]
            if key[0] == "batch":
                able = [one for one in field if one.about.takes_batches]
            for turn, one in alternate(turns, able, time.sleep):
                for call in one.take(turn):
                    for measure, x, unit, value in values_of(one.entry.kind, key, turn, call):
                        self.values[measure, x, one.entry.name, unit].append(value)

    def measure_shares(
        self, field: Iterable[Contender], yardsticks: Iterable[Worker]
    ) -> dict[float, int]:
        """Useful work a second as a share of the device's product rate; the work, in operations."""
        flop: dict[float, int] = {}
        for stick, x in itertools.product(yardsticks, self._extent.seconds):
            count = operator.methodcaller("count_flop", round(x * SAMPLE_RATE_HZ))
            flop[x] = flop.get(x) or stick.do(count)
            rate = np.median(self.values["product_rate", 0, stick.entry.name, "GFLOP/s"])
            for entry in (one.entry for one in field if one.entry.device == stick.entry.device):
                ms = np.median(self.values["latency", x, entry.name, "ms"])
                share = flop[x] / ms / 1e6 / rate
                self.values["product_share", x, entry.name, "of 1"].append(float(share))
        return flop


def alternate(
    turns: Iterable[Turn], contenders: Sequence[Contender], sleep: Callable[[float], None]
) -> Iterator[tuple[Turn, Contender]]:
    """Whose turn it is, after a pause in which the threads of the one before cease to spin.

    Every other round goes backwards, so that what drifts, as the machine's clock, favours nobody.
    """
    for i_round, turn in enumerate(turns):
        for contender in contenders if i_round % 2 == 0 else reversed(contenders):
            sleep(PAUSE_S)
            yield turn, contender


def values_of(kind: str, key: Key, turn: Turn, call: Call) -> Iterator[Value]:
    """What a call of a contender of this kind says: measures, their x, units and values."""
    (measure, x), (ms, compute_ms) = key, call
    if kind == "product":
        yield "product_rate", 0, "GFLOP/s", 2 * 2048**3 / ms / 1e6
    elif measure in {"sustained", "new_lengths"}:
        yield measure, x, "x real time", 1000 * sum(turn.n_samples) / SAMPLE_RATE_HZ / ms
    else:
        yield measure, x, "ms", ms
    if measure == "latency" and compute_ms is not None:
        yield "outside_compute", x, "ms", ms - compute_ms


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and extremes, in the values' own unit; they may lie between values."""
    names = ("median", "lower_quartile", "upper_quartile", "least", "most")
    found = np.percentile(values, (50, 25, 75, 0, 100)).tolist()
    return dict(zip(names, found, strict=True)) | {"n": len(values)}


def others_cores(percent: float, began: os.times_result, ended: os.times_result) -> float:
    """How many cores other programs kept busy: ours are this process and its ended children."""
    own_cores = (sum(ended[:4]) - sum(began[:4])) / (ended.elapsed - began.elapsed)
    return max(0.0, percent / 100 * (psutil.cpu_count() or 1) - own_cores)


def busy_warnings(load: float | None, others: float | None, cores: int) -> list[str]:
    """What is to be said of the machine's other work, if anything; from 15 % on it is seen."""
    busy = load if others is None else others
    if busy is None or busy <= 0.15 * cores:
        return []
    during = f"other programs used {busy:.1f} cores during the run"
    what = f"its load was {busy:.1f} before the run" if others is None else during
    return [f"the machine was busy: {what}, of {cores}; all times are upper bounds"]
