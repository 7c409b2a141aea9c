"""``speaker-sidecar demo``: a real child at work on a conversation, for a person to see."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from protocol.gallery_params import EnrollParams, IdentifyParams
from protocol.methods import Params
from protocol.params import EmbedParams, PathAudio
from protocol.python import RemoteError, SpeakerSidecar
from sidecar.bundle import is_bundle
from sidecar.config import DEVICE_PATTERN, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.serve_options import add_models_dir
from sidecar.store.catalog import CONVERSATION_SAMPLE
from sidecar.store.prebuilt import default_model
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools import demo_report, live
from sidecar.tools.console import ProgressLine, Refusal, exit_code_of, open_console
from sidecar.tools.conversation import Conversation, HeardTurn
from sidecar.tools.naming import Naming, name_turns
from sidecar.tools.recording import Recording, open_recording
from sidecar.tools.started_sidecar import POLL_S, started_sidecar

EXIT_NOT_MET = 1

# Between the mean cosine of two turns of one person and that of two people's, with CAM++.
_THRESHOLD = 0.4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    rttm = "who speaks when in it; without this, it is cut into equal windows"
    threshold = "turns with a mean cosine of at least this are one voice; default: %(default)s"
    model = "the first that it carries" if is_bundle() else demo_report.CAMPPLUS
    add("--file", type=Path, metavar="FILE", help="a recording of your own, instead of the sample")
    add("--live", type=Path, metavar="FILE", help="play FILE in real time, and tell who speaks")
    live.add_listening_options(parser)
    add("--rttm", type=Path, metavar="FILE", help=rttm)
    add("--threshold", type=float, default=_THRESHOLD, metavar="COSINE", help=threshold)
    add("--model", metavar="ID", help=f"default: {model}")
    add_models_dir(parser)
    add("--offline", action="store_true", help="never use the network")
    add("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="default: %(default)s")


def run(options: argparse.Namespace) -> int:
    """Give the demo.

    Returns:
        0; 1 if the sample's two people were not told apart as well as they should be, or a long
        turn was not named as it should be; 64 for
        options or a file that cannot be used; 69 if the model, the sample or the device is
        unavailable; 70 if the sidecar died; 74 if standard output is closed; 130 after Ctrl-C.
    """
    return exit_code_of(lambda progress: _demonstrate(options, progress))


def _demonstrate(options: argparse.Namespace, progress: ProgressLine) -> int:
    console = open_console()
    default = default_model(options.models_dir) if is_bundle() else demo_report.CAMPPLUS
    model = options.model or default
    if not DEVICE_PATTERN.fullmatch(options.device):
        raise Refusal(f"--device {options.device}: must be auto, cpu, cuda or cuda:N", EXIT_USAGE)
    serve_options = ["--model", model, "--device", options.device]
    if options.models_dir is not None:
        serve_options += ["--models-dir", str(options.models_dir)]
    if options.offline:
        serve_options.append("--offline")
    if options.live is not None:
        with contextlib.ExitStack() as closing:
            sound = live.open_file(options.live, closing)
            return live.listen(sound, serve_options, options, progress)
    recording = _choose_recording(options, progress)
    with started_sidecar(serve_options, progress) as (client, start):
        console.print(demo_report.introduction(recording, client, start))
        heard, refused = _hear(client, recording, progress)
        if not heard:
            raise Refusal(f"no turn gave an embedding: {refused[0]}", EXIT_UNAVAILABLE)
        conversation = Conversation(heard, options.threshold, refused)
        naming = _name(client, recording, conversation, progress)
    findings, falls_short = demo_report.findings(recording, model, conversation, naming, console)
    console.print(findings)
    return EXIT_NOT_MET if falls_short else EXIT_OK


def _choose_recording(options: argparse.Namespace, progress: ProgressLine) -> Recording:
    if options.file is not None:
        return open_recording(options.file, options.rttm)
    if options.rttm is not None:
        raise Refusal("--rttm goes with the --file that it annotates", EXIT_USAGE)
    if is_bundle():
        raise Refusal("a bundle carries no recording: name one with --file", EXIT_USAGE)
    sample = CONVERSATION_SAMPLE
    models_dir = options.models_dir or default_models_dir()
    store = WeightStore(models_dir, offline=options.offline, on_progress=progress.show_fetch)
    files = store.ensure(sample)
    recording = open_recording(files["sample.wav"], files["sample.rttm"])
    return replace(recording, title=sample.title, is_sample=True)


def _hear(
    client: SpeakerSidecar, recording: Recording, progress: ProgressLine
) -> tuple[list[HeardTurn], list[str]]:
    """Embed the turns one after the other: what came back, and why what did not."""
    heard, refused = [], []
    for number, turn in enumerate(recording.turns, start=1):
        progress.show("embedding", f"turn {number} of {len(recording.turns)}")
        audio = PathAudio(str(recording.path), turn.start_s, turn.end_s)
        sent_at = time.perf_counter()
        try:
            result = _ask(client, EmbedParams(audio))
        except RemoteError as error:
            refused.append(f"turn {number}: {error.failure.message}")
            continue
        reply_ms = 1000 * (time.perf_counter() - sent_at)
        embedding = np.frombuffer(result["embedding"], "<f4")
        compute_ms = result["timings"]["compute_ms"]
        heard.append(HeardTurn(number, turn, embedding, reply_ms, compute_ms))
    progress.clear()
    return heard, refused


def _name(
    client: SpeakerSidecar,
    recording: Recording,
    conversation: Conversation,
    progress: ProgressLine,
) -> Naming | None:
    """What the sidecar says of the turns, once it knows the voices; None: it knows nobody."""
    if client.hello is None or "people" not in client.hello.get("capabilities", ()):
        return None

    def ask(params: EnrollParams | IdentifyParams) -> dict[str, Any]:
        verb = "enrolling" if isinstance(params, EnrollParams) else "naming"
        progress.show(verb, "the voices of the conversation")
        return _ask(client, params)

    naming = name_turns(conversation, recording.path, ask)
    progress.clear()
    return naming


def _ask(client: SpeakerSidecar, params: Params) -> dict[str, Any]:
    """The answer, with time for Ctrl-C: on Windows it is noticed between two waits."""
    _id, future = client.send(params)
    while not future.done():
        concurrent.futures.wait([future], POLL_S)
    return future.result()
