"""The command line of ``speaker-sidecar bench``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocol.errors import ModelUnavailable
from protocol.python import RemoteError
from sidecar import config
from sidecar.hardware.cpu import n_cores
from sidecar.store.installed import find_card
from sidecar.tools.bench.measurement import measure
from sidecar.tools.bench.plan import QUICK, Extent, Plan
from sidecar.tools.bench.report import draw, show
from sidecar.tools.console import ProgressLine, Refusal, complain
from sidecar.tools.program import split_words

# Other programs: the network that each runs, and which models have it.
_OTHERS = {
    "speechbrain": ("ecapa", "an ECAPA-TDNN (ecapa-voxceleb, or a folder)"),
    "sherpa-onnx": ("campplus", "campplus-zh-en"),
}
_NEEDS = {"sherpa-onnx": ("sherpa_onnx", "onnx", "onnxscript"), "plot": ("matplotlib",)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    count, seconds = _number(int, 1, 10**6), _number(float, 0.1, 120)
    add("--model", default=config.DEFAULT_MODEL, metavar="ID|DIR", help="default: %(default)s")
    add("--models-dir", type=Path, metavar="DIR", help="where the models' weights are kept")
    add("--device", type=_list_of(_device), metavar="D,...", help="default: all there are")
    add("--threads", type=count, metavar="N", help="for each contender; default: the cores")
    add("--seconds", type=_list_of(seconds), metavar="S,...", help="lengths; default: 1,3,5,10")
    sizes = "utterances of 1 s; default: 1,8,16,32"
    add("--batches", type=_list_of(count), metavar="N,...", help=sizes)
    add("--rounds", type=count, metavar="N", help="turns of each contender; default: 7")
    add("--requests", type=count, metavar="N", help="for sustained work; default: 500")
    other = "another program on the same weights; may be repeated"
    add("--against", action="append", default=[], choices=_OTHERS, help=other)
    variant = "one more: the sidecar with these options, as --serve='--threads 1'; may be repeated"
    add("--serve", action="append", default=[], metavar="OPTIONS", help=variant)
    add("--quick", action="store_true", help="a look in seconds; its figures are rough")
    add("--json", action="store_true", help="print JSON")
    add("--plot", type=Path, metavar="FILE", help="draw latency and throughput, as PNG or SVG")
    parser.set_defaults(child_argv=[])


def run(options: argparse.Namespace) -> int:
    """Measure and print: 0, 64 for options that do not fit, 69 if a contender cannot run."""
    progress = ProgressLine()
    try:
        report = measure(plan_of(options), progress)
        print(json.dumps(report, indent=2)) if options.json else show(report)
        if options.plot:
            draw(report, options.plot)
    except Refusal as refusal:
        message, exit_code = str(refusal), refusal.exit_code
    except ModelUnavailable as error:
        message, exit_code = error.message, config.EXIT_UNAVAILABLE
    except RemoteError as error:
        message, exit_code = f"A sidecar refused a request: {error}", config.EXIT_SOFTWARE
    except KeyboardInterrupt:
        message, exit_code = "Stopped.", config.EXIT_INTERRUPTED
    else:
        return config.EXIT_OK
    progress.clear()
    complain(message)
    return exit_code


def plan_of(options: argparse.Namespace) -> Plan:
    """What the options ask for; raises ``Refusal`` or ``ModelUnavailable`` if that cannot be."""
    if options.child_argv:
        raise Refusal("Options of serve are given as --serve='--threads 1'.", config.EXIT_USAGE)
    for other in options.against:
        network, fits = _OTHERS[other]
        if find_card(options.model).network != network:
            misfit = f"--against {other} runs {fits}, not {options.model}"
            raise Refusal(misfit, config.EXIT_USAGE)
    for feature in [*options.against, *(["plot"] if options.plot else [])]:
        needed = _NEEDS.get(feature, (feature,))
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            how = "must be installed: pip install 'speaker-sidecar[bench]'"
            raise Refusal(f"for {feature}, {', '.join(missing)} {how}", config.EXIT_UNAVAILABLE)
    asked = (options.seconds, options.batches, options.rounds, options.requests)
    extent = zip(("seconds", "batches", "rounds", "n_requests"), asked, strict=True)
    given = {name: value for name, value in extent if value}
    models_dir = ["--models-dir", str(options.models_dir)] if options.models_dir else []
    variants = (tuple(split_words(text)) for text in options.serve)
    return Plan(
        ("--model", options.model, *models_dir),
        options.threads or n_cores(),
        dataclasses.replace(QUICK if options.quick else Extent(), **given),
        options.device or (),
        tuple(dict.fromkeys(options.against)),
        tuple(dict.fromkeys([(), *variants])),
    )


def _list_of(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))


def _number(kind: type[int | float], least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        with contextlib.suppress(ValueError):
            if least <= kind(text) <= most:
                return kind(text)
        raise argparse.ArgumentTypeError(f"{text}: it must be {least:g} to {most:g}")

    return number


def _device(text: str) -> str:
    if text == "auto" or not config.DEVICE_PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: it must be cpu, cuda or cuda:N")
    return "cuda:0" if text == "cuda" else text
