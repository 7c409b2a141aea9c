"""``speaker-sidecar demo``: the whole product at work, on a conversation, for a person to see.

A real child is started as a host would start it, and gets each turn over the wire.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path

from protocol.errors import ModelUnavailable
from protocol.params import EmbedParams, PathAudio
from protocol.python import RemoteError, SpeakerSidecar
from sidecar.bundle import is_bundle
from sidecar.config import (
    DEVICE_PATTERN,
    EXIT_INTERRUPTED,
    EXIT_IO,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from sidecar.store.catalog import CONVERSATION_SAMPLE
from sidecar.store.prebuilt import default_model
from sidecar.store.weights import (
    MODELS_DIR_VARIABLE,
    FetchProgress,
    WeightStore,
    default_models_dir,
)
from sidecar.tools import demo_report
from sidecar.tools.console import (
    Console,
    ProgressLine,
    Refusal,
    complain,
    in_megabytes,
    open_console,
)
from sidecar.tools.conversation import HeardTurn
from sidecar.tools.recording import (
    Recording,
    RecordingError,
    cut,
    open_annotated,
    open_sample,
)
from sidecar.tools.start import started_sidecar, wait_for

EXIT_NOT_MET = 1

# Between the mean cosine of two turns of one person and that of two people's, with CAM++.
_THRESHOLD = 0.4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    add("--file", type=Path, metavar="FILE", help="a recording of your own, instead of the sample")
    add(
        "--rttm",
        type=Path,
        metavar="FILE",
        help="who speaks when in it; without this, it is cut into equal windows",
    )
    add(
        "--threshold",
        type=float,
        default=_THRESHOLD,
        metavar="COSINE",
        help="from which mean cosine on turns are one voice's; default: %(default)s",
    )
    default = "the first that it carries" if is_bundle() else demo_report.CAMPPLUS
    add("--model", metavar="ID", help=f"default: {default}")
    add(
        "--models-dir",
        type=Path,
        metavar="DIR",
        help=f"default: {MODELS_DIR_VARIABLE}, or a folder among the user's data",
    )
    add("--offline", action="store_true", help="never use the network")
    add(
        "--device",
        type=_device,
        default="auto",
        metavar="auto|cpu|cuda|cuda:N",
        help="default: %(default)s",
    )


def _device(text: str) -> str:
    if not DEVICE_PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} must be auto, cpu, cuda or cuda:N")
    return text


def run(options: argparse.Namespace) -> int:
    """Give the demo.

    Returns:
        0; 1 if the sample's two people were not told apart as well as they should be; 64 for a
        file that cannot be used; 69 if the model, the sample or the device is unavailable; 70 if
        the sidecar died; 74 if standard output is closed; 130 after Ctrl-C.
    """
    console = open_console()
    progress = ProgressLine()
    if options.model is None:
        options.model = demo_report.CAMPPLUS
        if is_bundle():
            options.model = default_model(options.models_dir)
    try:
        return _demonstrate(options, console, progress)
    except Refusal as refusal:
        progress.clear()
        complain(f"speaker-sidecar demo: {refusal}")
        return refusal.exit_code
    except KeyboardInterrupt:
        progress.clear()
        print("Stopped, and the sidecar with it.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Else the interpreter would complain at its end that it cannot flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_IO


def _demonstrate(options: argparse.Namespace, console: Console, progress: ProgressLine) -> int:
    recording = _choose_recording(options, progress)
    with started_sidecar(_serve_options(options), progress) as (client, start):
        _show(demo_report.introduction(recording, start, client.health, console))
        heard, refused = _hear(client, recording, progress)
    if not heard:
        raise Refusal(f"no turn gave an embedding: {refused[0]}", EXIT_UNAVAILABLE)
    findings = demo_report.Findings.of(
        recording, heard, refused, threshold=options.threshold, model=options.model
    )
    _show(demo_report.findings(findings, console))
    return EXIT_NOT_MET if findings.falls_short else EXIT_OK


def _show(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def _choose_recording(options: argparse.Namespace, progress: ProgressLine) -> Recording:
    if options.file is None and options.rttm is not None:
        raise Refusal("--rttm goes with the --file that it annotates", EXIT_USAGE)
    if options.file is None and is_bundle():
        raise Refusal("a bundle carries no recording: name one with --file", EXIT_USAGE)
    if options.file is None:
        return _fetch_sample(options, progress)
    try:
        if options.rttm is None:
            return cut(options.file)
        return open_annotated(options.file, options.rttm)
    except RecordingError as error:
        raise Refusal(str(error), EXIT_USAGE) from error


def _fetch_sample(options: argparse.Namespace, progress: ProgressLine) -> Recording:
    is_new = False

    def tell(fetched: FetchProgress) -> None:
        nonlocal is_new
        is_new = True
        detail = in_megabytes(fetched.done_bytes, fetched.total_bytes)
        progress.show(f"fetching {fetched.detail}:", detail)

    store = WeightStore(
        options.models_dir or default_models_dir(), offline=options.offline, on_progress=tell
    )
    try:
        files = store.ensure(CONVERSATION_SAMPLE)
    except ModelUnavailable as error:
        raise Refusal(error.message, EXIT_UNAVAILABLE) from error
    progress.clear()
    recording = open_sample(files)
    return replace(recording, title=f"{recording.title}, fetched just now") if is_new else recording


def _serve_options(options: argparse.Namespace) -> list[str]:
    words = ["--model", options.model, "--device", options.device]
    if options.models_dir is not None:
        words += ["--models-dir", str(options.models_dir.expanduser().absolute())]
    if options.offline:
        words.append("--offline")
    return words


def _hear(
    client: SpeakerSidecar, recording: Recording, progress: ProgressLine
) -> tuple[list[HeardTurn], list[str]]:
    """Embed the turns one after the other: what came back, and why what did not."""
    heard, refused = [], []
    for number, turn in enumerate(recording.turns, start=1):
        progress.show("embedding", f"turn {number} of {len(recording.turns)}")
        audio = PathAudio(str(recording.path), turn.start_s, turn.end_s)
        sent_at = time.monotonic()
        _id, future = client.send(EmbedParams(audio))
        try:
            result = wait_for(future)
        except RemoteError as error:
            refused.append(f"turn {number}: {error.failure.message}")
            continue
        heard.append(
            HeardTurn(
                number=number,
                turn=turn,
                embedding=struct.unpack(f"<{result['dim']}f", result["embedding"]),
                reply_ms=1000 * (time.monotonic() - sent_at),
                compute_ms=result["timings"]["compute_ms"],
            )
        )
    progress.clear()
    return heard, refused
