"""What was found, as tables for a person and as a picture."""

from __future__ import annotations

import importlib
import itertools
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidecar.config import EXIT_UNAVAILABLE
from sidecar.tools.console import Refusal, open_console

Report = dict[str, Any]
Curves = dict[str, list[tuple[float, float]]]

_PROCESS = (
    "the process, its files in the disk's cache: from start to hello and to ready, ms; memory, MB"
)
_SHARE = "share of the matrix product's rate: the network's work in the time of the whole call"
_GPU = "GPU against CPU, times as fast: one utterance; a batch against one by one"
_RATE = "seconds of audio a second: utterances of 1 to 10 s; in process one by one"
# Each measure's table, and its column there at each x.
_COLUMNS = {
    "latency": ("one utterance, ms", "{:g} s"),
    "outside_compute": ("apart from computing: what a host waits beyond it, ms", "{:g} s"),
    "one_by_one": ("utterances of 1 s, one by one, ms", "{:g}"),
    "batch": ("utterances of 1 s, together, ms", "{:g}"),
    "sustained": (_RATE, "{:g} in flight"),
    "new_lengths": (_RATE, "{:g} new lengths"),
    "product_share": (_SHARE, "{:g} s"),
    "start_to_hello": (_PROCESS, "hello"),
    "start_to_ready": (_PROCESS, "ready"),
    "rss_ready": (_PROCESS, "RSS"),
    "rss_after": (_PROCESS, "RSS at the end"),
    "gpu_ready": (_PROCESS, "GPU"),
    "gpu_after": (_PROCESS, "GPU at the end"),
    "gpu_latency": (_GPU, "{:g} s"),
    "gpu_batch": (_GPU, "batch of {:g}"),
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
    """Print the tables; where that is no terminal, as wide as they are."""
    console = open_console()
    if console.is_terminal:
        _print(report, console)
        return
    console.width = 1000
    with console.capture() as captured:
        _print(report, console)
    print(re.sub(" +$", "", captured.get(), flags=re.MULTILINE), end="")


def _print(report: Report, console: Console) -> None:
    about = "contenders, each in a process of its own, one working at a time"
    for title, rows in (("", _machine(report)), (about, _contenders(report))):
        grid = Table.grid(padding=(0, 3, 0, 0))
        for name, text in rows:
            grid.add_row(name, text, style="yellow" if name == "WARNING" else "")
        console.print(title, grid, "", sep="\n")
    console.print("A cell: the median, and times as fast as the first row; below, the quartiles.")
    figures = [*report["figures"], *_derived(report)]
    box = SIMPLE_HEAD if console.is_terminal else None
    for title in dict.fromkeys(title for title, _ in _COLUMNS.values()):
        measures = [measure for measure, (table, _) in _COLUMNS.items() if table == title]
        found = [figure for figure in figures if figure["measure"] in measures]
        if found:
            console.print(f"\n{title}", style="bold")
            console.print(_table(measures, found, box))


def _machine(report: Report) -> Iterator[tuple[str, str]]:
    cpu, load = report["cpu"], report["load"]
    spent = (
        ("load {:.1f} before the run", load["average_before"]),
        ("{:.2f} cores during it", load["others_cores"]),
    )
    others = ", ".join(words.format(n) for words, n in spent if n is not None)
    yield "speaker-sidecar", f"{report['speaker_sidecar']}, Python {report['python']}"
    yield "system", report["system"]
    yield "CPU", f"{cpu['name']}, {cpu['cores']} cores, {cpu['simd']}"
    yield from ((f"GPU {gpu['index']}", gpu["name"]) for gpu in report["gpus"])
    yield "versions", ", ".join(f"{name} {what}" for name, what in report["versions"].items())
    yield "other programs", others or "not known"
    yield "model", report["model"]["id"]
    yield "threads", f"{report['threads']} for each contender, unless its name says otherwise"
    yield from (("WARNING", warning) for warning in report["warnings"])


def _contenders(report: Report) -> Iterator[tuple[str, str]]:
    for contender in report["contenders"]:
        about = contender["about"]
        threads = f"{about['threads']} thread{'' if about['threads'] == 1 else 's'}"
        text = f"{about['runtime']}, {about['precision']}, {threads}\n{about['remark']}"
        yield contender["name"], text.rstrip()
    for f in report["figures"]:
        if f["measure"] == "product_rate":
            quartiles = f"{f['lower_quartile']:.0f}-{f['upper_quartile']:.0f}"
            rate = f"{f['median']:.0f} GFLOP/s ({quartiles})"
            yield f["contender"], f"the yardstick: 2048^3 in f32 at {rate}"


def _derived(report: Report) -> Iterator[Report]:
    """What the medians say together, as if they were figures."""
    medians = {(f["measure"], f["x"], f["contender"]): f["median"] for f in report["figures"]}
    members = {one["name"]: one for one in report["contenders"]}
    own_of = dict(itertools.pairwise(members))
    for (measure, x, name), median in medians.items():
        kind, device = (members.get(name, {}).get(key, "") for key in ("kind", "device"))
        own, on_cpu = own_of.get(name, ""), name.replace(device, "cpu")
        if measure == "latency" and kind == "wire" and members.get(own, {}).get("kind") == "own":
            row, more = f"{name}: ms more than in process", median - medians[measure, x, own]
            yield _figure("outside_compute", x, row, "more", more)
        if measure in {"latency", "batch"} and device != "cpu":
            # Without batches the CPU's way is one by one.
            slow = medians.get(("one_by_one" if measure == "batch" else measure, x, on_cpu))
            if slow:
                yield _figure(f"gpu_{measure}", x, name, "times", slow / median)
    for network in report["network_flop"]:
        x, gflop = network["seconds"], network["flop"] / 1e9
        yield _figure("product_share", x, "GFLOP of the network", "GFLOP", gflop)


def _figure(measure: str, x: float, row: str, unit: str, value: float) -> Report:
    return {"measure": measure, "x": x, "contender": row, "unit": unit, "median": value, "n": 1}


def _table(measures: list[str], figures: list[Report], box: Box | None) -> Table:
    """A column for each measure and x; a row for each contender that has any of them."""
    by_key = {(f["measure"], f["x"], f["contender"]): f for f in figures}
    first = {(f["measure"], f["x"]): f for f in reversed(figures)}
    keys = sorted(first, key=lambda key: (measures.index(key[0]), key[1]))
    table = Table("", box=box, show_edge=False, pad_edge=False, padding=(0, 3, 0, 0))
    for measure, x in keys:
        table.add_column(_COLUMNS[measure][1].format(x), justify="right")
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
    importlib.import_module("matplotlib").use("agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for axes, curves in zip((left, right), curves_of(report), strict=True):
        for name, points in curves.items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    left.set(xlabel="length of the utterance, s", ylabel="latency, ms (median)")
    right.set(xlabel="utterances of 1 s at once", ylabel="seconds of audio a second (median)")
    left.legend()
    cpu, threads = report["cpu"]["name"], report["threads"]
    figure.suptitle(f"{report['model']['id']} on {cpu}, {threads} threads")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be written: {error}", EXIT_UNAVAILABLE) from error


def curves_of(report: Report) -> list[Curves]:
    """Each contender's ms by an utterance's length, and seconds of audio a second by the batch.

    A contender without batches is drawn as it takes the same utterances one by one.
    """
    curves: dict[str, Curves] = {"latency": {}, "one_by_one": {}, "batch": {}}
    for f in sorted(report["figures"], key=operator.itemgetter("x")):
        if f["measure"] in curves:
            y = f["median"] if f["measure"] == "latency" else 1000 * f["x"] / f["median"]
            curves[f["measure"]].setdefault(f["contender"], []).append((f["x"], y))
    return [curves["latency"], curves["one_by_one"] | curves["batch"]]
