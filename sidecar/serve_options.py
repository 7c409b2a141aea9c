"""The options of ``serve``: what they are, and what they mean."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from sidecar.config import (
    CPU_RUNTIMES,
    DEFAULT_LIMITS,
    DEFAULT_MODEL,
    DEVICE_PATTERN,
    EXIT_USAGE,
    PRECISIONS,
    RUNTIMES,
    Config,
    PathRoot,
)
from sidecar.long_path import of_any_length
from sidecar.store.prebuilt import default_model

_MIB = 2**20
# What an answer takes at most for each, rounded up: 192 numbers, and what is told beside them.
_BYTES_PER_WINDOW, _BYTES_PER_SEGMENT = 1024, 2048


class Parser(argparse.ArgumentParser):
    """Ends the process with the exit code for wrong usage."""

    def error(self, message: str) -> NoReturn:
        """See ``argparse``."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add them to ``parser``."""
    add = parser.add_argument
    default = f"{DEFAULT_MODEL}, or the first that came with --models-dir or this bundle"
    runtime = "auto: torch on a GPU; onnxruntime on the CPU, or openvino for bf16"
    threads = "default: one for each physical core, minus one if there are more than two"
    add("--model", metavar="ID|DIR", help=f"default: {default}")
    add_models_dir(parser)
    add("--offline", action="store_true", help="never use the network")
    add("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="default: %(default)s")
    add("--gpu", action="store_true", help="like auto, but degraded if the CPU has to serve")
    add("--runtime", choices=RUNTIMES, default="auto", help=runtime)
    add(
        "--precision",
        choices=PRECISIONS,
        default="f32",
        help="bf16: on CPUs that have it; int8: of ecapa-voxceleb",
    )
    add("--threads", type=positive, metavar="N", help=threads)
    add("--background", action="store_true", help="leave the CPU to others that want it")
    add("--speech", action="store_true", help="load what hears speech at the start")
    add("--parent-pid", type=positive, metavar="N", help="end when this process is gone")
    add(
        "--path-root",
        type=_path_root,
        metavar="DIR|none",
        help="confine audio given by path to a folder, or turn it off",
    )
    add(
        "--gallery",
        type=_gallery,
        metavar="FILE",
        help="where enrolled people are kept; default: in memory, until the end",
    )
    calibration = "what calibrate wrote, in the place of the model's own"
    add("--calibration", type=Path, metavar="FILE", help=calibration)
    add("--max-frame-mib", type=positive, default=64, metavar="N", help="default: %(default)s")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    add("--log-format", choices=("text", "json"), default="text")


def add_models_dir(parser: argparse.ArgumentParser) -> None:
    """Add ``--models-dir``, which most commands take."""
    default = "SPEAKER_SIDECAR_MODELS_DIR, or the user's data folder"
    where = f"where the models are kept; default: {default}"
    parser.add_argument("--models-dir", type=Path, metavar="DIR", help=where)


def parse_serve_options(words: Sequence[str]) -> Config:
    """What these words mean; ends the process, like ``serve``, if they are wrong."""
    parser = Parser(prog="speaker-sidecar serve")
    add_serve_options(parser)
    return read_config(parser.parse_args(words))


def read_config(options: argparse.Namespace) -> Config:
    """What the parsed options mean; ends the process if they do not fit together."""
    if not DEVICE_PATTERN.fullmatch(options.device):
        _refuse(f"--device {options.device}: it must be auto, cpu, cuda or cuda:N")
    if options.gpu and options.device != "auto":
        _refuse("--gpu means --device auto: give one of the two")
    is_for_gpu = options.gpu or options.device.startswith("cuda")
    if options.runtime in CPU_RUNTIMES and is_for_gpu:
        _refuse(f"--runtime {options.runtime} is for the CPU: a GPU needs torch")
    max_frame_bytes = options.max_frame_mib * _MIB
    if max_frame_bytes >= 2**32:
        _refuse("--max-frame-mib: a frame's length has 32 bits, so 4095 is the most")
    limits = replace(
        DEFAULT_LIMITS,
        max_frame_bytes=max_frame_bytes,
        max_queued_bytes=max(DEFAULT_LIMITS.max_queued_bytes, max_frame_bytes),
        # An answer is a frame, too.
        max_windows=min(DEFAULT_LIMITS.max_windows, max_frame_bytes // _BYTES_PER_WINDOW),
        max_segments=min(DEFAULT_LIMITS.max_segments, max_frame_bytes // _BYTES_PER_SEGMENT),
    )
    models_dir = options.models_dir.expanduser() if options.models_dir else None
    return Config(
        model=default_model(models_dir) if options.model is None else options.model,
        models_dir=models_dir,
        offline=options.offline,
        device=options.device,
        gpu=options.gpu,
        runtime=options.runtime,
        precision=options.precision,
        threads=options.threads,
        background=options.background,
        speech=options.speech,
        parent_pid=options.parent_pid,
        path_root=options.path_root or "any",
        gallery=options.gallery,
        calibration=options.calibration.expanduser() if options.calibration else None,
        limits=limits,
    )


def _refuse(message: str) -> NoReturn:
    print(f"speaker-sidecar serve: {message}", file=sys.stderr)
    raise SystemExit(EXIT_USAGE)


def positive(text: str) -> int:
    """The integer in ``text``, which must be at least 1; for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def number(kind: type[int | float], least: float, most: float) -> Callable[[str], float]:
    """What reads a number of this kind, from ``least`` to ``most``; for argparse."""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if least <= kind(text) <= most:  # nan is not
                return kind(text)
        raise argparse.ArgumentTypeError(f"{text}: it must be {least:g} to {most:g}")

    return read


def _gallery(text: str) -> Path:
    file = Path(text).expanduser().absolute()
    if not text or file.is_dir() or not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: it must be a file in a folder that is there")
    return file


def _path_root(text: str) -> PathRoot:
    if text == "none":
        return "none"
    root = Path(of_any_length(text))
    if not root.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return root.resolve()
