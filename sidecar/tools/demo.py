"""``speaker-sidecar demo``: the whole product at work, on a conversation, for a person to see.

A real child is started as a host would start it, and gets each turn over the wire.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import struct
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from protocol.errors import ModelUnavailable
from protocol.messages import Notice
from protocol.params import EmbedParams, PathAudio
from sidecar.config import (
    DEFAULT_MODEL,
    EXIT_IO,
    EXIT_OK,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from sidecar.device import DEVICE_PATTERN
from sidecar.models.catalog import CONVERSATION_SAMPLE
from sidecar.models.store import (
    MODELS_DIR_VARIABLE,
    FetchProgress,
    WeightStore,
    default_models_dir,
)
from sidecar.tools import demo_report
from sidecar.tools.client import ChildGone, Client, RemoteError, sidecar_argv
from sidecar.tools.console import Console, ProgressLine, open_console
from sidecar.tools.conversation import MIN_TURN_S, HeardTurn
from sidecar.tools.recording import Recording, RecordingError, cut, open_annotated

EXIT_NOT_MET = 1
EXIT_INTERRUPTED = 130  # as a shell counts a program that Ctrl-C ended

# Between the mean cosine of two turns of one person and that of two people's, with CAM++.
_THRESHOLD = 0.45
# On Windows, Ctrl-C does not end a wait: it is noticed between two of them.
_POLL_S = 0.1
_LOG_TAIL_LINES = 8
_PHASES = {"load": "loads the model", "convert": "converts the model", "warmup": "warms up"}


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
    add("--model", default=DEFAULT_MODEL, metavar="ID", help="default: %(default)s")
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


class _Refusal(Exception):
    """The demo cannot go on: what a person is told, and the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run(options: argparse.Namespace) -> int:
    """Give the demo.

    Returns:
        0; 1 if the sample's two people were not told apart as well as they should be; 64 for a
        file that cannot be used; 69 if the model, the sample or the device is unavailable; 70 if
        the sidecar died; 130 after Ctrl-C.
    """
    console = open_console()
    progress = ProgressLine()
    try:
        return _demonstrate(options, console, progress)
    except _Refusal as refusal:
        progress.clear()
        _complain(f"speaker-sidecar demo: {refusal}")
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
    with _started(options, progress) as (client, start):
        _show(demo_report.introduction(recording, start.facts(client), console))
        heard, refused = _hear(client, recording, progress)
    if not heard:
        raise _Refusal(f"no turn gave an embedding: {refused[0]}", EXIT_UNAVAILABLE)
    findings = demo_report.Findings.of(
        recording, heard, refused, threshold=options.threshold, model=options.model
    )
    _show(demo_report.findings(findings, console))
    return EXIT_NOT_MET if findings.falls_short else EXIT_OK


def _complain(message: str) -> None:
    for line in message.splitlines():
        print(
            textwrap.fill(line, width=100, break_long_words=False, break_on_hyphens=False),
            file=sys.stderr,
        )


def _show(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def _choose_recording(options: argparse.Namespace, progress: ProgressLine) -> Recording:
    if options.file is None and options.rttm is not None:
        raise _Refusal("--rttm goes with the --file that it annotates", EXIT_USAGE)
    if options.file is None:
        return _fetch_sample(options, progress)
    try:
        if options.rttm is None:
            return cut(options.file)
        return open_annotated(options.file, options.rttm)
    except RecordingError as error:
        raise _Refusal(str(error), EXIT_USAGE) from error


def _fetch_sample(options: argparse.Namespace, progress: ProgressLine) -> Recording:
    def tell(fetched: FetchProgress) -> None:
        is_last = fetched.done_bytes == fetched.total_bytes
        detail = _in_megabytes(fetched.done_bytes, fetched.total_bytes)
        progress.show(f"fetching {fetched.detail}:", detail, is_last=is_last)

    store = WeightStore(
        options.models_dir or default_models_dir(), offline=options.offline, on_progress=tell
    )
    try:
        paths = store.ensure(CONVERSATION_SAMPLE)
    except ModelUnavailable as error:
        raise _Refusal(error.message, EXIT_UNAVAILABLE) from error
    return open_annotated(paths["sample.wav"], paths["sample.rttm"], is_sample=True)


def _in_megabytes(done_bytes: int, total_bytes: int | None) -> str:
    total = f" of {total_bytes / 1e6:.1f}" if total_bytes else ""
    return f"{done_bytes / 1e6:.1f}{total} MB"


class _Start:
    """What the child tells while it starts. Fed on the client's thread, read on the main one."""

    def __init__(self) -> None:
        self._spawned_at = time.monotonic()
        self.hello_ms = 0.0
        self.step = "starting the sidecar"
        self.detail = ""
        self.fetched_bytes = 0

    @property
    def elapsed_s(self) -> float:
        """Since the child was started."""
        return time.monotonic() - self._spawned_at

    def take(self, notice: Notice) -> None:
        """Take a notification in."""
        params: dict[str, Any] = notice.params
        if notice.method == "hello":
            self.hello_ms = 1000 * self.elapsed_s
        elif notice.method == "health" and params["state"] == "loading":
            self.step, self.detail = f"the sidecar is {params['reason']}", ""
        elif notice.method == "progress" and params["phase"] == "download":
            self.fetched_bytes = params["done"]
            self.step = "the sidecar fetches the model:"
            self.detail = _in_megabytes(params["done"], params.get("total"))
        elif notice.method == "progress":
            phase = params["phase"]
            self.step, self.detail = f"the sidecar {_PHASES.get(phase, phase)}", ""

    def facts(self, client: Client) -> demo_report.Start:
        """What is worth telling about a start that went well."""
        assert client.hello is not None
        return demo_report.Start(
            hello=client.hello,
            health=client.health,
            hello_ms=self.hello_ms,
            fetched_bytes=self.fetched_bytes,
        )


@contextmanager
def _started(
    options: argparse.Namespace, progress: ProgressLine
) -> Iterator[tuple[Client, _Start]]:
    """A child that is ready."""
    argv = [*sidecar_argv(), "serve", "--model", options.model, "--device", options.device]
    argv += ["--parent-pid", str(os.getpid()), "--log-level", "warning"]
    if options.models_dir is not None:
        argv += ["--models-dir", str(options.models_dir.absolute())]
    if options.offline:
        argv.append("--offline")
    start = _Start()
    is_ready = False
    with tempfile.TemporaryFile() as log:
        try:
            with Client(argv, start.take, stderr=log) as client:
                _wait_until_ready(client, start, progress)
                is_ready = True
                yield client, start
        except OSError as error:
            if is_ready:
                raise
            message = f"the sidecar cannot be started: {error}"
            raise _Refusal(message, EXIT_UNAVAILABLE) from error
        except ChildGone as error:
            # Where it failed in order, it has told the reason; else its log may know.
            told = client.health.get("state") == "failed"
            message = str(error) if told else f"{error}{_tail(log)}"
            exit_code = EXIT_SOFTWARE if is_ready else EXIT_UNAVAILABLE
            raise _Refusal(message, exit_code) from error


def _wait_until_ready(client: Client, start: _Start, progress: ProgressLine) -> None:
    while True:
        progress.show(start.step, start.detail or f"({start.elapsed_s:.0f} s)")
        try:
            client.wait_until_ready(_POLL_S)
        except TimeoutError:
            continue
        progress.clear()
        return


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "".join(f"\n  {line}" for line in ["its log ends with:", *lines]) if lines else ""


def _hear(
    client: Client, recording: Recording, progress: ProgressLine
) -> tuple[list[HeardTurn], list[str]]:
    """Embed the turns one after the other: what came back, and why what did not."""
    heard, refused = [], []
    turns = [turn for turn in recording.turns if turn.duration_s >= MIN_TURN_S]
    for number, turn in enumerate(turns, start=1):
        progress.show("embedding", f"turn {number} of {len(turns)}")
        audio = PathAudio(str(recording.path), turn.start_s, turn.end_s)
        sent_at = time.monotonic()
        _id, future = client.send(EmbedParams(audio))
        try:
            result = _wait_for(future)
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


def _wait_for(future: Future[dict[str, Any]]) -> dict[str, Any]:
    while not future.done():
        concurrent.futures.wait([future], _POLL_S)
    return future.result()
