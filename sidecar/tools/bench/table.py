"""The report as tables for a person: aligned columns of ASCII, so that any console shows them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sidecar.tools.bench.figures import times_as_fast

Report = dict[str, Any]
_Figures = dict[tuple[str, float, str], dict[str, Any]]
_MEASURES_OF_A_CALL = "median, and times as fast as the first row; below, the quartiles"


def in_words(report: Report) -> list[str]:
    """The report's lines."""
    return [*_header(report), *_contenders(report), *_tables(report)]


def _header(report: Report) -> list[str]:
    cpu = report["cpu"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        f"speaker-sidecar  {report['speaker_sidecar']}, Python {report['python']}",
        f"system           {report['system']}",
        f"CPU              {cpu['name']}, {cpu['cores']} cores, {cpu['simd']}",
        *(f"GPU {gpu['index']}            {gpu['name']}" for gpu in report["gpus"]),
        f"versions         {versions}",
        f"other programs   {_load_in_words(report['load'])}",
        f"model            {report['model']['id']}",
        f"threads          {report['threads']} for each contender, unless its name says otherwise",
    ]
    return lines + [f"WARNING          {warning}" for warning in report["warnings"]]


def _load_in_words(load: dict[str, Any]) -> str:
    average, cores = load["average_before"], load["others_cores"]
    before = "" if average is None else f"load {average:.1f} before the run"
    during = "" if cores is None else f"{cores:.2f} cores during it"
    return ", ".join(filter(None, (before, during))) or "not known"


def _contenders(report: Report) -> list[str]:
    names = [contender["name"] for contender in report["contenders"]]
    width = max(map(len, names))
    lines = ["", "contenders, each in a process of its own, one working at a time"]
    for contender in report["contenders"]:
        about = contender["about"]
        threads = f"{about['threads']} thread{'' if about['threads'] == 1 else 's'}"
        words = f"{about['runtime']}, {about['precision']}, {threads}"
        lines.append(f"  {contender['name']:{width}}  {words}")
        if about["remark"]:
            lines.append(f"  {'':{width}}  {about['remark']}")
    return lines


def _tables(report: Report) -> list[str]:
    figures: _Figures = {(f["measure"], f["x"], f["contender"]): f for f in report["figures"]}
    names = [contender["name"] for contender in report["contenders"]]
    seconds = _xs(report, "latency")
    lines = []
    rows = _figure_rows(figures, names, "latency", seconds)
    rows += _plain_rows(figures, names, "outside_compute", seconds, "ms apart from computing")
    rows += _wire_rows(report, figures, seconds)
    lines += _grid("one utterance, ms", [f"{x:g} s" for x in seconds], rows, _MEASURES_OF_A_CALL)
    for measure, title in (
        ("one_by_one", "utterances of 1 s, one by one, ms"),
        ("batch", "utterances of 1 s, together, ms"),
    ):
        counts = _xs(report, measure)
        rows = _figure_rows(figures, names, measure, counts)
        lines += _grid(title, [f"{x:g}" for x in counts], rows, _MEASURES_OF_A_CALL)
    lines += _rates(report, figures, names)
    lines += _shares(figures, names, seconds, report)
    lines += _processes(report, figures, names)
    lines += _gpu_against_cpu(report, figures)
    return lines


def _rates(report: Report, figures: _Figures, names: Sequence[str]) -> list[str]:
    keys = [("sustained", x) for x in _xs(report, "sustained")]
    heads = [f"{x:g} in flight" for _, x in keys]
    keys += [("new_lengths", x) for x in _xs(report, "new_lengths")]
    heads += [f"{x:g} new lengths" for _, x in keys[len(heads) :]]
    rows = [
        row
        for name in names
        for row in _cells_of(name, [figures.get((m, x, name)) for m, x in keys], figures, keys)
    ]
    title = "seconds of audio a second: utterances of 1 to 10 s"
    return _grid(title, heads, rows, "in process there is no queue: one by one")


def _cells_of(
    name: str,
    found: Sequence[dict[str, Any] | None],
    figures: _Figures,
    keys: Sequence[tuple[str, float]],
) -> list[list[str]]:
    """A contender's two lines: medians with ratios, quartiles."""
    medians, quartiles = [name], [""]
    for figure, (measure, x) in zip(found, keys, strict=True):
        if figure is None:
            medians.append("-")
            quartiles.append("")
            continue
        ratio = _ratio(figure, _first(figures, measure, x))
        medians.append(f"{_number(figure['median'])} {ratio}".rstrip())
        low, high = figure["lower_quartile"], figure["upper_quartile"]
        quartiles.append(f"{_number(low)}-{_number(high)}" if figure["n"] > 1 else "")
    return [medians, quartiles] if any(quartiles) else [medians]


def _figure_rows(
    figures: _Figures, names: Iterable[str], measure: str, xs: Sequence[float]
) -> list[list[str]]:
    keys = [(measure, x) for x in xs]
    rows = []
    for name in names:
        found = [figures.get((measure, x, name)) for x in xs]
        if any(found):
            rows += _cells_of(name, found, figures, keys)
    return rows


def _plain_rows(
    figures: _Figures, names: Iterable[str], measure: str, xs: Sequence[float], what: str
) -> list[list[str]]:
    rows = []
    for name in names:
        found = [figures.get((measure, x, name)) for x in xs]
        if any(found):
            cells = ["-" if f is None else f"{f['median']:.2f}" for f in found]
            rows.append([f"{name}: {what}", *cells])
    return rows


def _wire_rows(report: Report, figures: _Figures, xs: Sequence[float]) -> list[list[str]]:
    """The wire's latency less that in process, where the contender before says both."""
    rows = []
    for wire, own in _pairs(report, "wire", "own"):
        cells = []
        for x in xs:
            a, b = figures.get(("latency", x, wire)), figures.get(("latency", x, own))
            cells.append(f"{a['median'] - b['median']:+.2f}" if a and b else "-")
        rows.append([f"{wire}: ms more than in process", *cells])
    return rows


def _pairs(report: Report, kind: str, other: str) -> list[tuple[str, str]]:
    """Neighbours of two kinds, which differ in nothing else."""
    members = report["contenders"]
    return [
        (a["name"], b["name"])
        for a, b in itertools.pairwise(members)
        if (a["kind"], b["kind"]) == (kind, other)
    ]


def _shares(
    figures: _Figures, names: Iterable[str], seconds: Sequence[float], report: Report
) -> list[str]:
    rates = [f for (measure, _, _), f in figures.items() if measure == "product_rate"]
    rows = []
    for name in names:
        found = [figures.get(("product_share", x, name)) for x in seconds]
        if any(found):
            rows.append(
                [name, *("-" if f is None else f"{100 * f['median']:.0f} %" for f in found)]
            )
    flop = {entry["seconds"]: entry["flop"] for entry in report["network_flop"]}
    if not rows:
        return []
    rows.append(["GFLOP of the network", *(f"{flop[x] / 1e9:.1f}" for x in seconds)])
    notes = [
        f"{f['contender']}: 2048^3 in f32 at {f['median']:.0f} GFLOP/s "
        f"({f['lower_quartile']:.0f}-{f['upper_quartile']:.0f})"
        for f in rates
    ]
    title = "share of the matrix product's rate: the network's work in the time of the whole call"
    return _grid(title, [f"{x:g} s" for x in seconds], rows, "; ".join(notes))


def _processes(report: Report, figures: _Figures, names: Iterable[str]) -> list[str]:
    n_requests = report["extent"]["n_requests"]
    columns: list[tuple[str, str, Callable[[float], str]]] = [
        ("start_to_hello", "hello, ms", _number),
        ("start_to_ready", "ready, ms", _number),
        ("rss_ready", "RSS, MB", _megabytes),
        ("rss_after", "RSS at the end", _megabytes),
        ("gpu_ready", "GPU, MB", _megabytes),
        ("gpu_after", "GPU at the end", _megabytes),
    ]
    used = {measure for measure, _, _ in figures}
    columns = [column for column in columns if column[0] in used]
    rows = []
    for name in names:
        found = [figures.get((measure, 0, name)) for measure, _, _ in columns]
        cells = [
            "-" if f is None else show(f["median"])
            for f, (_, _, show) in zip(found, columns, strict=True)
        ]
        rows.append([name, *cells])
    title = "the process: from its start to hello and to ready; memory"
    note = f"files in the disk's cache; the end: after all above, {n_requests} mixed requests last"
    return _grid(title, [head for _, head, _ in columns], rows, note)


def _gpu_against_cpu(report: Report, figures: _Figures) -> list[str]:
    """Each contender on a GPU, as times as fast as the same on the CPU."""
    members = report["contenders"]
    rows = []
    seconds = _xs(report, "latency")
    counts = _xs(report, "batch")
    keys = [("latency", x) for x in seconds] + [("batch", x) for x in counts]
    for gpu in members:
        cpu_name = gpu["name"].replace(gpu["device"], "cpu")
        if gpu["device"] == "cpu" or not any(m["name"] == cpu_name for m in members):
            continue
        cells = []
        for measure, x in keys:
            # Without batches the CPU's way is one by one, as the GPU guide compares them.
            slow = figures.get(("one_by_one" if measure == "batch" else measure, x, cpu_name))
            fast = figures.get((measure, x, gpu["name"]))
            cells.append(_times(slow["median"], fast["median"]) if slow and fast else "-")
        rows.append([gpu["name"], *cells])
    heads = [f"{x:g} s" for x in seconds] + [f"batch of {x:g}" for x in counts]
    title = "GPU against CPU, times as fast: one utterance; a batch against one by one"
    return _grid(title, heads, rows) if rows else []


def _first(figures: _Figures, measure: str, x: float) -> dict[str, Any] | None:
    """The figure of the first contender that has one: figures keep the contenders' order."""
    return next((f for (m, at, _), f in figures.items() if (m, at) == (measure, x)), None)


def _ratio(figure: dict[str, Any], first: dict[str, Any] | None) -> str:
    if first is None or not figure["median"] or not first["median"]:
        return ""
    if figure["unit"] == "ms":
        return _times(first["median"], figure["median"])
    return _times(figure["median"], first["median"])


def _times(slow: float, fast: float) -> str:
    return f"{times_as_fast(slow, fast):.2f}x"


def _xs(report: Report, measure: str) -> list[float]:
    return sorted({f["x"] for f in report["figures"] if f["measure"] == measure})


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _megabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.0f}"


def _grid(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
) -> list[str]:
    """A table under its title: names to the left, the rest to the right."""
    if not rows:
        return []
    table = [["", *heads], *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ["", title]
    lines += [f"  ({note})"] if note else []
    for name, *cells in table:
        aligned = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        lines.append(f"  {name:{widths[0]}}   {'   '.join(aligned)}".rstrip())
    return lines
