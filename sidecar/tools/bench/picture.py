"""The report as a picture: latency over length, and throughput over batch, of all contenders."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.tools.bench.figures import times_real_time
from sidecar.tools.bench.tasks import BATCH_UTTERANCE_S

Series = dict[str, list[tuple[float, float]]]


def latency_series(report: dict[str, Any]) -> Series:
    """For each contender: (seconds of audio, median ms)."""
    return _series(report, "latency")


def throughput_series(report: dict[str, Any]) -> Series:
    """For each contender: (utterances of 1 s together, seconds of audio a second).

    A contender without batches is drawn as it takes the same utterances one by one.
    """
    batches = _series(report, "batch")
    one_s = round(BATCH_UTTERANCE_S * SAMPLE_RATE_HZ)
    return {
        name: [(n, times_real_time(round(n) * one_s, ms)) for n, ms in batches.get(name, points)]
        for name, points in _series(report, "one_by_one").items()
    }


def _series(report: dict[str, Any], measure: str) -> Series:
    series: Series = {}
    for figure in report["figures"]:
        if figure["measure"] == measure:
            series.setdefault(figure["contender"], []).append((figure["x"], figure["median"]))
    return {name: sorted(points) for name, points in series.items()}


def draw(report: dict[str, Any], path: Path) -> None:
    """Write the picture, in the format that the name's ending says; raises ``ValueError``."""
    importlib.import_module("matplotlib").use("agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for axes, series in ((left, latency_series(report)), (right, throughput_series(report))):
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    left.set(xlabel="length of the utterance, s", ylabel="latency, ms (median)")
    right.set(xlabel="utterances of 1 s at once", ylabel="seconds of audio a second (median)")
    left.legend()
    cpu, threads = report["cpu"]["name"], report["threads"]
    figure.suptitle(f"{report['model']['id']} on {cpu}, {threads} threads")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
