"""``speaker-sidecar convert``: make an installed model ready to run on the CPU.

The first start of a model on the CPU, and ``models fetch``, run it as a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from protocol.errors import SidecarError
from sidecar.config import CPU_RUNTIMES, EXIT_OK, EXIT_SOFTWARE, EXIT_UNAVAILABLE
from sidecar.serve_options import add_models_dir
from sidecar.tools.console import ProgressLine, Refusal, exit_code_of, open_console
from sidecar.wire.host_watch import HostWatch

# Takes how many steps are done, and of how many.
Tell: TypeAlias = Callable[[int, int], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    add("model", metavar="ID|DIR", help="a model that is installed")
    add_models_dir(parser)
    add("--runtime", choices=CPU_RUNTIMES, default="onnxruntime", help="default: %(default)s")
    add("--precision", choices=("f32", "int8"), default="f32", help="default: %(default)s")
    add("--parent-pid", type=int, metavar="N", help="end when this process is gone")
    add("--json", action="store_true", help="print progress as JSON, one object per line")


def run(options: argparse.Namespace) -> int:
    """Convert; 0 if the converted model lies in its place, 69 or 70 if it does not."""
    if options.parent_pid is not None:
        threading.Thread(target=_end_with, args=(options.parent_pid,), daemon=True).start()
    return exit_code_of(lambda progress: _convert(options, progress))


def _convert(options: argparse.Namespace, progress: ProgressLine) -> int:
    def tell(done: int, total: int) -> None:
        if options.json:
            print(json.dumps({"done": done, "total": total}), flush=True)
        else:
            progress.show("converting:", f"{done} of {total} steps")

    try:
        folder = _convert_segmentation(options, tell) or _convert_model(options, tell)
    except Exception as error:  # torch and the runtimes raise anything
        message, exit_code = f"{type(error).__name__}: {error}".split("\n")[0], EXIT_SOFTWARE
        if isinstance(error, (SidecarError, OSError, ImportError)):
            message, exit_code = getattr(error, "message", str(error)), EXIT_UNAVAILABLE
        if not options.json:
            raise Refusal(message, exit_code) from error
        print(json.dumps({"error": message}), flush=True)
        return exit_code
    progress.clear()
    if not options.json:
        open_console().out(folder)
    return EXIT_OK


def _convert_segmentation(options: argparse.Namespace, tell: Tell) -> Path | None:
    """The folder of the converted segmentation network; None: it is not what was asked for."""
    from sidecar.store.catalog import SEGMENTATION  # noqa: PLC0415

    if options.model != SEGMENTATION.id:
        return None
    from sidecar.engine.loading import converted_root  # noqa: PLC0415
    from sidecar.engine.segmentation import converted_origin, fingerprint  # noqa: PLC0415
    from sidecar.engine.segmentation_conversion import convert  # noqa: PLC0415
    from sidecar.store.weights import WeightStore, default_models_dir  # noqa: PLC0415

    models_dir = options.models_dir or default_models_dir()
    [weights] = WeightStore(models_dir, offline=True).ensure(SEGMENTATION).values()
    origin = converted_origin(fingerprint())
    return convert(weights, converted_root(models_dir), origin, tell).folder


def _convert_model(options: argparse.Namespace, tell: Tell) -> Path:
    from sidecar.engine.conversion import convert  # noqa: PLC0415
    from sidecar.engine.loading import (  # noqa: PLC0415
        ONNX_VERSION,
        converted_origin,
        converted_root,
        require_int8,
    )
    from sidecar.store.installed import find_card, fingerprint, install  # noqa: PLC0415
    from sidecar.store.weights import WeightStore, default_models_dir  # noqa: PLC0415

    models_dir = options.models_dir or default_models_dir()
    card = find_card(options.model)
    installed = install(options.model, card, WeightStore(models_dir, offline=True))
    made_by = fingerprint(card, installed.weights_sha256, card.recipe)
    version = ONNX_VERSION
    if options.runtime == "openvino":
        from sidecar.engine.openvino_library import VERSION as version  # noqa: N811, PLC0415
    if options.precision == "int8":
        require_int8(installed, options.runtime)
    origin = converted_origin(made_by, options.runtime, version, options.precision)
    return convert(installed, converted_root(models_dir), origin, tell).folder


def _end_with(parent_pid: int) -> None:
    watch = HostWatch(parent_pid)
    while not watch.is_gone():
        time.sleep(0.25)
    os._exit(EXIT_SOFTWARE)
