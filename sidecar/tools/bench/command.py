"""The command line of ``speaker-sidecar bench``."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocol.python import RemoteError
from sidecar import config
from sidecar.hardware.cpu import n_cores
from sidecar.serve_options import add_models_dir, number
from sidecar.store.installed import find_card
from sidecar.tools.bench.measurement import measure
from sidecar.tools.bench.plan import QUICK, Extent
from sidecar.tools.bench.report import draw, show
from sidecar.tools.console import ProgressLine, Refusal, exit_code_of
from sidecar.tools.program import split_words

# Other programs: the network that each runs, which models have it, and what must be installed.
_OTHERS = {
    "speechbrain": ("ecapa", "an ECAPA-TDNN (ecapa-voxceleb, or a folder)", ("speechbrain",)),
    "sherpa-onnx": ("campplus", "campplus-zh-en", ("sherpa_onnx", "onnx", "onnxscript")),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    count, seconds = number(int, 1, 10**6), number(float, 0.1, 120)
    add("--model", default=config.DEFAULT_MODEL, metavar="ID|DIR", help="default: %(default)s")
    add_models_dir(parser)
    add("--device", type=_list_of(_device), metavar="D,...", help="default: all there are")
    add("--threads", type=count, default=n_cores(), metavar="N", help="default: one for each core")
    add("--seconds", type=_list_of(seconds), metavar="S,...", help="lengths; default: 1,3,5,10")
    add("--batches", type=_list_of(count), metavar="N,...", help="each of 1 s; default: 1,8,16,32")
    add("--rounds", type=count, metavar="N", help="turns of each contender; default: 7")
    work = "for sustained work; default: 500"
    add("--requests", dest="n_requests", type=count, metavar="N", help=work)
    other = "another program on the same weights; may be repeated"
    add("--against", action="append", default=[], choices=_OTHERS, help=other)
    own = "also measure the sidecar with these options, e.g. --serve='--threads 1'; may be repeated"
    add("--serve", action="append", default=[], type=split_words, metavar="OPTIONS", help=own)
    add("--quick", action="store_true", help="a rough measurement in seconds")
    add("--json", action="store_true", help="print JSON")
    add("--plot", type=Path, metavar="FILE", help="draw latency and throughput, as PNG or SVG")


def run(options: argparse.Namespace) -> int:
    """Measure and print: 0, 64 for options that do not fit, 69 if a contender cannot run."""
    return exit_code_of(lambda progress: _measure(options, progress))


def _measure(options: argparse.Namespace, progress: ProgressLine) -> int:
    _check(options)
    asked = ("seconds", "batches", "rounds", "n_requests")
    given = {name: value for name in asked if (value := getattr(options, name))}
    extent = dataclasses.replace(QUICK if options.quick else Extent(), **given)
    try:
        report = measure(options, extent, progress)
    except RemoteError as error:
        raise Refusal(f"a sidecar refused a request: {error}", config.EXIT_SOFTWARE) from error
    print(json.dumps(report, indent=2)) if options.json else show(report)
    if options.plot:
        draw(report, options.plot)
    return config.EXIT_OK


def _check(options: argparse.Namespace) -> None:
    """Raise ``Refusal`` or ``ModelUnavailable`` for what is known at once not to work."""
    needed: dict[str, tuple[str, ...]] = {"plot": ("matplotlib",)} if options.plot else {}
    for other in options.against:
        network, fits, needed[other] = _OTHERS[other]
        if find_card(options.model).network != network:
            misfit = f"--against {other} runs {fits}, not {options.model}"
            raise Refusal(misfit, config.EXIT_USAGE)
    for feature, names in needed.items():
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        if missing:
            how = "must be installed: pip install 'speaker-sidecar[bench]'"
            raise Refusal(f"for {feature}, {', '.join(missing)} {how}", config.EXIT_UNAVAILABLE)


def _list_of(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))


def _device(text: str) -> str:
    if text == "auto" or not config.DEVICE_PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: it must be cpu, cuda or cuda:N")
    return "cuda:0" if text == "cuda" else text
