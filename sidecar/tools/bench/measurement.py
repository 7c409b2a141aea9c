"""The run: starts the contenders, lets them take turns, and makes the report of what they did."""

from __future__ import annotations

import itertools
import os
import platform
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from operator import methodcaller
from typing import Any

import numpy as np
import psutil

from sidecar import __version__
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.tools.bench.contenders import Contender, opened
from sidecar.tools.bench.plan import Call, Entry, Extent, Key, Turn, entries_of, entry_of
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.matrix_product import FLOP
from sidecar.tools.started_sidecar import started_sidecar

PAUSE_S = 0.25


def measure(options: Namespace, extent: Extent, progress: ProgressLine) -> dict[str, Any]:
    """Measure what the options ask for; the report, as ``--json`` prints it.

    Raises ``Refusal`` if a contender that they name cannot run, and ``RemoteError``.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    psutil.cpu_percent()  # it counts from here on
    began = os.times()
    # The first start may fetch and convert the model, and it tells what this machine has.
    with started_sidecar(entry_of(options, "wire", "auto").serve_options, progress) as (client, _):
        device, model = client.health["device"], client.health["model"]
    run = Run(extent, progress)
    gpus = (f"cuda:{gpu['index']}" for gpu in device["gpus"])
    able = run.measure_starts(entries_of(options, options.device or ("cpu", *gpus)))
    sticks = [entry_of(options, "product", name) for name in sorted({one.device for one in able})]
    with ExitStack() as stack:
        field = [one for entry in able for one in run.open(entry, stack)]
        yardsticks = [one for entry in sticks for one in run.open(entry, stack)]
        run.measure_memory("ready", field)
        run.measure_tasks(field, yardsticks)
        run.measure_memory("after", field)
        flop = run.measure_shares(field, yardsticks)
    progress.clear()
    # Elsewhere it is not known what our own programs used.
    others = others_cores(psutil.cpu_percent(), began, os.times()) if os.name == "posix" else None
    if others and others > 0.15 * device["cpu"]["cores"]:  # from there on it is seen
        busy = f"other programs used {others:.1f} cores during the run, of {device['cpu']['cores']}"
        run.warnings.insert(0, f"the machine was busy: {busy}; all times are upper bounds")
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
        "warnings": run.warnings,
        "model": {key: model[key] for key in ("id", "fingerprint")},
        "threads": options.threads,
        "pause_s": PAUSE_S,
        "extent": asdict(extent),
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

    def open(self, entry: Entry, stack: ExitStack) -> list[Contender]:
        """The contender; none, and a warning, if it cannot run and the rest does without it."""
        try:
            return [stack.enter_context(opened(entry, self._progress))]
        except Refusal as refusal:
            if not entry.is_optional:
                raise
            self.warnings.append(f"not measured: {refusal}")
            return []

    def measure_starts(self, entries: Iterable[Entry]) -> list[Entry]:
        """Start each contender some times, none else running; those that can run."""
        able: list[Entry] = []
        for entry in entries:
            # The first start does not count: it may read from a cold disk, convert, or export.
            with ExitStack() as stack:
                able += [one.entry for one in self.open(entry, stack)]
        for entry in able * self._extent.n_starts:
            time.sleep(PAUSE_S)
            with opened(entry, self._progress) as contender:
                for state, ms in contender.start_ms.items():
                    self.values[f"start_to_{state}", 0, entry.name, "ms"].append(ms)
        return able

    def measure_memory(self, when: str, field: Iterable[Contender]) -> None:
        """What each contender holds now."""
        for one in field:
            for kind, n_bytes in one.run(methodcaller("memory")).items():
                if n_bytes is not None:
                    self.values[f"{kind}_{when}", 0, one.entry.name, "bytes"].append(n_bytes)

    def measure_tasks(self, field: Sequence[Contender], yardsticks: Iterable[Contender]) -> None:
        """Let all take their turns; the yardsticks do so among single utterances."""
        tasks = self._extent.tasks()
        for n_done, (key, turns) in enumerate(tasks.items()):
            measure, x = key
            what = f"measuring {measure.replace('_', ' ')} {x:g}"
            self._progress.show(f"{what} ({n_done + 1} of {len(tasks)})")
            able = [one for one in field if measure != "batch" or one.about.takes_batches]
            able += yardsticks if measure == "latency" else ()
            for i_round, turn in enumerate(turns):
                # Back and forth, so that what drifts, as the machine's clock, favours nobody.
                for one in able if i_round % 2 == 0 else reversed(able):
                    time.sleep(PAUSE_S)  # the threads of the one before cease to spin
                    for call in one.run(methodcaller("take", turn)):
                        for name, at, unit, value in values_of(one.entry.kind, key, turn, call):
                            self.values[name, at, one.entry.name, unit].append(value)

    def measure_shares(
        self, field: Iterable[Contender], yardsticks: Iterable[Contender]
    ) -> dict[float, int]:
        """Useful work a second as a share of the device's product rate; the work, in operations."""
        flop: dict[float, int] = {}
        for stick, x in itertools.product(yardsticks, self._extent.seconds):
            flop[x] = stick.run(methodcaller("count_flop", round(x * SAMPLE_RATE_HZ)))
            rate = np.median(self.values["product_rate", 0, stick.entry.name, "GFLOP/s"])
            for entry in (one.entry for one in field if one.entry.device == stick.entry.device):
                ms = np.median(self.values["latency", x, entry.name, "ms"])
                share = float(flop[x] / ms / 1e6 / rate)
                self.values["product_share", x, entry.name, "of 1"] = [share]
        return flop


def values_of(
    kind: str, key: Key, turn: Turn, call: Call
) -> Iterator[tuple[str, float, str, float]]:
    """What a call of a contender of this kind says: measures, their x, units and values."""
    (measure, x), (ms, compute_ms) = key, call
    if kind == "product":
        yield "product_rate", 0, "GFLOP/s", FLOP / ms / 1e6
    elif measure in {"sustained", "new_lengths"}:
        yield measure, x, "x real time", 1000 * sum(turn.n_samples) / SAMPLE_RATE_HZ / ms
    else:
        yield measure, x, "ms", ms
    if measure == "latency" and compute_ms:
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
