"""The command line of ``speaker-sidecar bench``."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocol.errors import ModelUnavailable
from protocol.python import RemoteError
from sidecar.config import (
    DEFAULT_MODEL,
    DEVICE_PATTERN,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from sidecar.hardware.cpu import n_cores
from sidecar.serve_options import parse_serve_options
from sidecar.tools.bench import driver
from sidecar.tools.bench.load import (
    Load,
    counts_children,
    cpu_use,
    load_average,
    others_cores,
)
from sidecar.tools.bench.picture import draw
from sidecar.tools.bench.plan import OTHERS, Plan, misfit
from sidecar.tools.bench.report import as_json
from sidecar.tools.bench.table import in_words
from sidecar.tools.bench.tasks import QUICK, Extent
from sidecar.tools.bench.worker import ENGINES, work
from sidecar.tools.console import (
    ProgressLine,
    Refusal,
    complain,
    open_console,
)
from sidecar.tools.program import split_words

# What each option needs that is not installed by default.
_NEEDS = {
    "sherpa-onnx": ("sherpa_onnx", "onnx", "onnxscript"),
    "speechbrain": ("speechbrain",),
    "plot": ("matplotlib",),
}
_INSTALL = "pip install 'speaker-sidecar[bench]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    add("--model", default=DEFAULT_MODEL, metavar="ID|DIR", help="default: %(default)s")
    add("--models-dir", type=Path, metavar="DIR", help="where the models' weights are kept")
    add("--device", type=_devices, default=(), metavar="D,...", help="default: all there are")
    add("--threads", type=_count, metavar="N", help="for each contender; default: the cores")
    add("--seconds", type=_seconds, metavar="S,...", help="lengths; default: 1,3,5,10")
    add("--batches", type=_counts, metavar="N,...", help="utterances of 1 s; default: 1,8,16,32")
    add("--rounds", type=_count, metavar="N", help="turns of each contender; default: 7")
    add("--requests", type=_count, metavar="N", help="for sustained work; default: 500")
    add(
        "--against",
        action="append",
        default=[],
        choices=OTHERS,
        help="another program on the same weights; may be repeated",
    )
    add(
        "--serve",
        action="append",
        default=[],
        metavar="OPTIONS",
        help="one more contender: the sidecar with these options of serve, as "
        "--serve='--threads 1'; may be repeated",
    )
    add("--quick", action="store_true", help="a look in seconds; its figures are rough")
    add("--json", action="store_true", help="print JSON")
    add("--plot", type=Path, metavar="FILE", help="draw latency and throughput, as PNG or SVG")
    # A worker's own command line; behind it come ``--`` and options of serve.
    add("--contender", choices=ENGINES, help=argparse.SUPPRESS)
    parser.set_defaults(child_argv=[])


def run(options: argparse.Namespace) -> int:
    """Measure and print: 0, 64 for options that do not fit, 69 if a contender cannot run."""
    if options.contender:
        return work(options.contender, parse_serve_options(options.child_argv))
    progress = ProgressLine()
    try:
        plan = plan_of(options)
        average, before = load_average(), cpu_use()
        findings = driver.run(plan, progress)
        others = others_cores(before, cpu_use()) if counts_children() else None
        report = as_json(plan, findings, Load(average, others))
    except Refusal as refusal:
        progress.clear()
        complain(str(refusal))
        return refusal.exit_code
    except RemoteError as error:
        progress.clear()
        complain(f"A sidecar refused what it was asked: {error}")
        return EXIT_SOFTWARE
    except KeyboardInterrupt:
        progress.clear()
        complain("Stopped.")
        return EXIT_INTERRUPTED
    return _show(report, options)


def _show(report: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        open_console()
        print("\n".join(in_words(report)))
    if options.plot:
        try:
            draw(report, options.plot)
        except (OSError, ValueError) as error:
            complain(f"{options.plot} cannot be written: {error}")
            return EXIT_UNAVAILABLE
    return EXIT_OK


def plan_of(options: argparse.Namespace) -> Plan:
    """What the options ask for; raises ``Refusal`` if that cannot be."""
    if options.child_argv:
        raise Refusal("Options of serve are given as --serve='--threads 1'.", EXIT_USAGE)
    _refuse_misfits(options)
    _refuse_missing([*options.against, *(["plot"] if options.plot else [])])
    shared = ["--model", options.model]
    if options.models_dir:
        shared += ["--models-dir", str(options.models_dir)]
    variants = dict.fromkeys([(), *(tuple(split_words(text)) for text in options.serve)])
    return Plan(
        model=options.model,
        shared_options=tuple(shared),
        threads=options.threads or n_cores(),
        devices=options.device,
        against=tuple(dict.fromkeys(options.against)),
        variants=tuple(variants),
        extent=_extent(options),
    )


def _extent(options: argparse.Namespace) -> Extent:
    asked = {
        "seconds": options.seconds,
        "batches": options.batches,
        "rounds": options.rounds,
        "n_requests": options.requests,
    }
    given = {name: value for name, value in asked.items() if value}
    return dataclasses.replace(QUICK if options.quick else Extent(), **given)


def _refuse_misfits(options: argparse.Namespace) -> None:
    try:
        for other in options.against:
            if why := misfit(options.model, other):
                raise Refusal(why, EXIT_USAGE)
    except ModelUnavailable as error:
        raise Refusal(error.message, EXIT_UNAVAILABLE) from error


def _refuse_missing(features: list[str]) -> None:
    for feature in features:
        missing = [name for name in _NEEDS[feature] if importlib.util.find_spec(name) is None]
        if missing:
            raise Refusal(
                f"for {feature}, {', '.join(missing)} must be installed: {_INSTALL}",
                EXIT_UNAVAILABLE,
            )


def _list_of(read: Callable[[str], Any], text: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))


def _counts(text: str) -> tuple[int, ...]:
    return _list_of(_count, text)


def _seconds(text: str) -> tuple[float, ...]:
    seconds = _list_of(float, text)
    if not all(0.1 <= length <= 120 for length in seconds):
        raise argparse.ArgumentTypeError("lengths must be 0.1 to 120 s")
    return seconds


def _devices(text: str) -> tuple[str, ...]:
    devices = tuple("cuda:0" if name == "cuda" else name for name in _list_of(str, text))
    for device in devices:
        if device == "auto" or not DEVICE_PATTERN.fullmatch(device):
            raise argparse.ArgumentTypeError(f"{device}: it must be cpu, cuda or cuda:N")
    return devices


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
