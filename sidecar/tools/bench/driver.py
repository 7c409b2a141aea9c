"""The run: starts the contenders, lets them take turns, and gathers what they measured."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.tools.bench.contenders import (
    Product,
    Sidecar,
    Worker,
    opened_sidecar,
    opened_worker,
)
from sidecar.tools.bench.figures import gflop_per_s, spread, times_real_time
from sidecar.tools.bench.plan import (
    Entry,
    Plan,
    entries,
    yardsticks,
)
from sidecar.tools.bench.report import Figure, Findings, Member
from sidecar.tools.bench.rounds import Call, alternate
from sidecar.tools.bench.tasks import Task, tasks_of
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.started_sidecar import started_sidecar

_MATRIX_FLOP = 2 * 2048**3
_Ready = Sidecar | Worker


def run(plan: Plan, progress: ProgressLine) -> Findings:
    """Measure all of ``plan``; raises ``Refusal`` if a contender that it names cannot run."""
    # The first start may fetch and convert the model, and it tells what this machine has.
    with started_sidecar(plan.shared_options, progress) as (client, _):
        health = client.health
    devices = plan.devices or ("cpu", *(f"cuda:{gpu['index']}" for gpu in health["device"]["gpus"]))
    findings = Findings(health=health)
    field = _measure_starts(plan, entries(plan, devices), findings, progress)
    with ExitStack() as stack:
        ready = [(entry, stack.enter_context(_opened(entry, progress))) for entry in field]
        sticks = [
            (entry, stick)
            for entry in yardsticks(plan, {entry.device for entry in field})
            if (stick := _try_to_open(entry, stack, findings, progress))
        ]
        findings.members += [_member(entry, contender) for entry, contender in ready]
        _measure_memory("rss_ready", ready, findings)
        _measure_tasks(plan, [c for _, c in ready], [c for _, c in sticks], findings, progress)
        _measure_memory("rss_after", ready, findings)
        _measure_shares(plan, ready, sticks, findings)
    progress.clear()
    return findings


def _measure_starts(
    plan: Plan, field: Iterable[Entry], findings: Findings, progress: ProgressLine
) -> list[Entry]:
    """Start each contender some times, none else running; those that can run."""
    able = []
    for entry in field:
        # The first start does not count: it may read from a cold disk, convert, or export.
        with ExitStack() as stack:
            if _try_to_open(entry, stack, findings, progress):
                able.append(entry)
    starts: dict[tuple[str, str], list[float]] = {}
    for _ in range(plan.extent.n_starts):
        for entry in able:
            time.sleep(plan.pause_s)
            with _opened(entry, progress) as contender:
                for until, ms in contender.start_ms.items():
                    starts.setdefault((entry.name, until), []).append(ms)
    for (name, until), values_ms in starts.items():
        findings.add(f"start_to_{until}", 0, name, "ms", values_ms)
    return able


def _opened(entry: Entry, progress: ProgressLine) -> AbstractContextManager[_Ready]:
    if entry.kind == "wire":
        return opened_sidecar(entry.name, entry.serve_options, progress)
    return opened_worker(entry.name, entry.kind, entry.serve_options, progress)


def _try_to_open(
    entry: Entry, stack: ExitStack, findings: Findings, progress: ProgressLine
) -> _Ready | None:
    """The contender, which ends with ``stack``; None, and a warning, if it can be done without."""
    try:
        return stack.enter_context(_opened(entry, progress))
    except Refusal as refusal:
        if not entry.is_optional:
            raise
        findings.warnings.append(f"not measured: {refusal}")
        return None


def _member(entry: Entry, contender: _Ready) -> Member:
    return Member(entry.name, entry.kind, entry.device, contender.about)


def _measure_memory(
    measure: str, ready: Iterable[tuple[Entry, _Ready]], findings: Findings
) -> None:
    for entry, contender in ready:
        memory = contender.memory()
        for kind, measured in (("rss_bytes", measure), ("gpu_peak_bytes", f"gpu_{measure[4:]}")):
            n_bytes = memory[kind]
            if n_bytes is not None:
                findings.add(measured, 0, entry.name, "bytes", [n_bytes])


def _measure_tasks(
    plan: Plan,
    contenders: Sequence[_Ready],
    sticks: Sequence[_Ready],
    findings: Findings,
    progress: ProgressLine,
) -> None:
    product_ms: dict[str, list[float]] = {}
    for task in tasks_of(plan.extent):
        progress.show(f"measuring {task.measure} {task.x:g}")
        field: list[_Ready] = [c for c in contenders if c.takes_batches or task.measure != "batch"]
        if task.measure == "latency":
            field += sticks
        for name, calls in alternate(task, field, time.sleep, plan.pause_s).items():
            if any(stick.name == name for stick in sticks):
                product_ms.setdefault(name, []).extend(call.ms for call in calls)
            else:
                findings.figures.extend(figures_of(task, name, calls))
    for name, values_ms in product_ms.items():
        rates = [gflop_per_s(_MATRIX_FLOP, ms) for ms in values_ms]
        findings.add("product_rate", 0, name, "GFLOP/s", rates)


def figures_of(task: Task, name: str, calls: Sequence[Call]) -> list[Figure]:
    """What the calls of one contender say."""
    if task.measure in {"sustained", "new_lengths"}:
        rates = [
            times_real_time(sum(turn.n_samples), call.ms)
            for turn, call in zip(task.turns, calls, strict=True)
        ]
        return [Figure(task.measure, task.x, name, "x real time", spread(rates))]
    figures = [Figure(task.measure, task.x, name, "ms", spread([call.ms for call in calls]))]
    outside_ms = [call.ms - call.compute_ms for call in calls if call.compute_ms is not None]
    if task.measure == "latency" and outside_ms:
        figures.append(Figure("outside_compute", task.x, name, "ms", spread(outside_ms)))
    return figures


def _measure_shares(
    plan: Plan,
    ready: Iterable[tuple[Entry, _Ready]],
    sticks: Sequence[tuple[Entry, _Ready]],
    findings: Findings,
) -> None:
    """Each contender's useful work for each second, as a share of its device's product rate."""
    if not sticks:
        return
    counter = sticks[0][1]
    assert isinstance(counter, Product)
    n_samples = [round(seconds * SAMPLE_RATE_HZ) for seconds in plan.extent.seconds]
    flop = dict(
        zip(plan.extent.seconds, counter.ask({"count_flop": n_samples})["flop"], strict=True)
    )
    findings.flop = flop
    stick_of = {entry.device: entry.name for entry, _ in sticks}
    for entry, _ in ready:
        if entry.device not in stick_of:
            continue
        rate = findings.median("product_rate", 0, stick_of[entry.device])
        for seconds, operations in flop.items():
            ms = findings.median("latency", seconds, entry.name)
            if rate is not None and ms is not None:
                share = gflop_per_s(operations, ms) / rate
                findings.add("product_share", seconds, entry.name, "of 1", [share])
