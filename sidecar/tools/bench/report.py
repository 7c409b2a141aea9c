"""What was found, as tables for a person and as a picture."""

from __future__ import annotations

import importlib
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.table import Table
from rich.text import Text

from sidecar.config import EXIT_UNAVAILABLE
from sidecar.tools.bench.plan import TITLES
from sidecar.tools.console import Refusal, facts, open_console

Report = dict[str, Any]
Curves = dict[str, list[tuple[float, float]]]

# Each table, and of each measure in it its column at each x.
_TABLES = {
    "one utterance, ms": {"latency": "{:g} s"},
    "apart from computing: what a host waits beyond it, ms": {"outside_compute": "{:g} s"},
    "utterances of 1 s, one by one, ms": {"one_by_one": "{:g}"},
    "utterances of 1 s, together, ms": {"batch": "{:g}"},
    "seconds of audio per second, for utterances of 1 to 10 s (in process: one at a time)": {
        "sustained": "{:g} in flight",
        "new_lengths": "{:g} new lengths",
    },
    "the yardstick, a product of two matrices, 2048 x 2048, in f32": {"product_rate": "GFLOP/s"},
    "share of the matrix product's rate: the network's work in the time of the whole call": {
        "product_share": "{:g} s"
    },
    "the process, its files cached: from start to hello and to ready, ms; memory, MB": {
        "start_to_hello": "hello",
        "start_to_ready": "ready",
        "rss_ready": "RSS",
        "rss_after": "RSS at the end",
        "gpu_ready": "GPU",
        "gpu_after": "GPU at the end",
    },
    "GPU against CPU, times as fast: one utterance; a batch against one by one": {
        "gpu_latency": "{:g} s",
        "gpu_batch": "batch of {:g}",
    },
}
# How values are shown by their unit: with the three digits that count, if it is no other.
_FORMATS: dict[str, Callable[[float], str]] = {
    "": lambda n: f"{n:.{(n < 100) + (n < 10)}f}",
    "bytes": lambda n: f"{n / 1e6:.0f}",
    "of 1": lambda share: f"{100 * share:.0f} %",
    "times": lambda ratio: f"{ratio:.2f}x",
    "more": lambda ms: f"{ms:+.2f}",
}


def show(report: Report) -> None:
    """Print what was measured on what, and the tables; without a terminal, as wide as they are."""
    console = open_console()
    about = "contenders, each in a process of its own, one working at a time"
    for title, rows in (("", _machine(report)), (about, _contenders(report))):
        console.print(title, facts(rows), "", sep="\n")
    console.print("A cell: the median, and times as fast as the first row; below, the quartiles.")
    console.width, box = (console.width, SIMPLE_HEAD) if console.is_terminal else (1000, None)
    figures = [*report["figures"], *_derived(report)]
    for title, columns in _TABLES.items():
        found = [figure for figure in figures if figure["measure"] in columns]
        if found:
            console.print(f"\n{title}", style="bold")
            console.print(_table(columns, found, box))


def _machine(report: Report) -> Iterator[tuple[str | Text, str]]:
    cpu = report["cpu"]
    before, during = ("?" if n is None else f"{n:.1f}" for n in report["load"].values())
    yield "speaker-sidecar", f"{report['speaker_sidecar']}, Python {report['python']}"
    yield "system", report["system"]
    yield "CPU", f"{cpu['name']}, {cpu['cores']} cores, {cpu['simd']}"
    yield from ((f"GPU {gpu['index']}", gpu["name"]) for gpu in report["gpus"])
    yield "versions", ", ".join(f"{name} {what}" for name, what in report["versions"].items())
    yield "other programs", f"load {before} before the run, {during} cores during it"
    yield "model", report["model"]["id"]
    yield "threads", f"{report['threads']} for each contender, unless its name says otherwise"
    yield from ((Text("WARNING", style="yellow"), warning) for warning in report["warnings"])


def _contenders(report: Report) -> Iterator[tuple[str | Text, str]]:
    for contender in report["contenders"]:
        about = contender["about"]
        what = f"{about['runtime']}, {about['precision']}, threads: {about['threads']}"
        yield contender["name"], f"{what}\n{about['remark']}".rstrip()


def _derived(report: Report) -> Iterator[Report]:
    """What the medians say together, as if they were figures."""
    medians = {(f["measure"], f["x"], f["contender"]): f["median"] for f in report["figures"]}
    for (measure, x, name), median in medians.items():
        own = ("latency", x, name.replace(TITLES["wire"], TITLES["own"]))
        if measure == "latency" and name not in own and own in medians:
            row = f"{name}: ms more than in process"
            yield _figure("outside_compute", x, row, "more", median - medians[own])
        # Without batches the CPU's way is one by one.
        slow = {"latency": "latency", "batch": "one_by_one"}.get(measure, "")
        on_cpu = (slow, x, re.sub(r"cuda:\d+", "cpu", name, count=1))
        if name not in on_cpu and on_cpu in medians:
            yield _figure(f"gpu_{measure}", x, name, "times", medians[on_cpu] / median)
    for network in report["network_flop"]:
        x, gflop = network["seconds"], network["flop"] / 1e9
        yield _figure("product_share", x, "GFLOP of the network", "GFLOP", gflop)


def _figure(measure: str, x: float, row: str, unit: str, value: float) -> Report:
    return {"measure": measure, "x": x, "contender": row, "unit": unit, "median": value, "n": 1}


def _table(columns: dict[str, str], figures: list[Report], box: Box | None) -> Table:
    """A column for each measure and x; a row for each contender that has any of them."""
    by_key = {(f["measure"], f["x"], f["contender"]): f for f in figures}
    first = {(f["measure"], f["x"]): f for f in reversed(figures)}
    keys = sorted(first, key=lambda key: ([*columns].index(key[0]), key[1]))
    table = Table("", box=box, show_edge=False, pad_edge=False, padding=(0, 3, 0, 0))
    for measure, x in keys:
        table.add_column(columns[measure].format(x), justify="right")
    for row in dict.fromkeys(figure["contender"] for figure in figures):
        found = {key: by_key.get((*key, row)) for key in keys}
        table.add_row(row, *(_cell(f, first[key]) if f else "-" for key, f in found.items()))
    return table


def _cell(figure: Report, first: Report) -> Text:
    show = _FORMATS.get(figure["unit"], _FORMATS[""])
    text = Text(show(figure["median"]))
    if figure["unit"] in {"ms", "x real time"}:
        slow, fast = (first, figure) if figure["unit"] == "ms" else (figure, first)
        text.append(f" {slow['median'] / fast['median']:.2f}x", style="cyan")
    if figure["n"] > 1:
        low, high = show(figure["lower_quartile"]), show(figure["upper_quartile"])
        text.append(f"\n{low}-{high}", style="dim")
    return text


def draw(report: Report, path: Path) -> None:
    """Write the picture, in the format that the name's ending says; raises ``Refusal``."""
    figure = importlib.import_module("matplotlib.figure").Figure((12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, curves in zip((left, right), curves_of(report), strict=True):
        for name, points in curves.items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.grid(alpha=0.3)
    left.set(xlabel="length of the utterance, s", ylabel="latency, ms", ylim=0)
    right.set(xlabel="utterances of 1 s at once", ylabel="seconds of audio per second", ylim=0)
    left.legend()
    cpu, threads = report["cpu"]["name"], report["threads"]
    figure.suptitle(f"{report['model']['id']} on {cpu}, {threads} threads: medians")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be written: {error}", EXIT_UNAVAILABLE) from error


def curves_of(report: Report) -> list[Curves]:
    """Each contender's ms by an utterance's length, and seconds of audio per second by the batch.

    A contender without batches is drawn as it takes the same utterances one by one.
    """
    curves: dict[str, Curves] = {"latency": {}, "one_by_one": {}, "batch": {}}
    for f in sorted(report["figures"], key=operator.itemgetter("x")):
        if f["measure"] in curves:
            y = f["median"] if f["measure"] == "latency" else 1000 * f["x"] / f["median"]
            curves[f["measure"]].setdefault(f["contender"], []).append((f["x"], y))
    return [curves["latency"], curves["one_by_one"] | curves["batch"]]
