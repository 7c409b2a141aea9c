"""``speaker-sidecar live``: who speaks, as it is played or recorded, and then in hindsight."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from protocol.python import Diarization, Live, RemoteError, SpeakerSidecar
from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, SAMPLE_RATE_HZ
from sidecar.serve_options import positive
from sidecar.tools import diarized_files
from sidecar.tools.console import ProgressLine, Refusal, exit_code_of, open_console
from sidecar.tools.diarize import show
from sidecar.tools.diarized_files import DiarizedFile
from sidecar.tools.live_view import LiveView
from sidecar.tools.started_sidecar import started_sidecar

_PIECE_S = 0.1
_STANDARD_INPUT = "-"
# A sidecar that ends answers what it still can.
_ENDS_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio that is heard piece by piece; ``is_live``: it comes in its own time."""

    title: str
    sample_rate_hz: int
    channels: int
    encoding: str
    pieces: Iterator[bytes]
    is_live: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    source = "a recording, played in real time; -: raw samples from standard input"
    add("source", metavar="FILE|-", help=source)
    add("--rate", type=positive, default=SAMPLE_RATE_HZ, metavar="HZ", help="of -; %(default)s")
    add("--channels", type=positive, default=1, metavar="N", help="of -; default: %(default)s")
    encodings = ("s16le", "f32le")
    add("--encoding", choices=encodings, default=encodings[0], help="of -; default: %(default)s")
    add_listening_options(parser)
    diarized_files.add_sidecar_options(parser)


def add_listening_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that the demo has, too."""
    add = parser.add_argument
    add("--gallery", type=Path, metavar="FILE", help="name those whom serve --gallery has enrolled")
    add("--speed", type=_speed, default=1.0, metavar="X", help="play FILE X times as fast")


def run(options: argparse.Namespace) -> int:
    """Listen and print.

    Returns:
        0, also where Ctrl-C ended the listening; 64 for options or a file that cannot be used; 69
        if the model or the device is unavailable, or what comes cannot be heard; 70 if the sidecar
        died; 74 if standard output is closed; 130 after Ctrl-C before or after the listening.
    """
    return exit_code_of(lambda progress: _run(options, progress))


def _run(options: argparse.Namespace, progress: ProgressLine) -> int:
    words = diarized_files.serve_options(options)
    with contextlib.ExitStack() as closing:
        if options.source == _STANDARD_INPUT:
            sound = open_input(options.rate, options.channels, options.encoding)
        else:
            sound = open_file(Path(options.source), closing)
        return listen(sound, words, options, progress)


def open_input(sample_rate_hz: int, channels: int, encoding: str) -> Sound:
    """Raw samples as they come on standard input; raises ``Refusal``."""
    if sys.stdin is None or sys.stdin.isatty():
        raise Refusal(
            "raw samples must come on standard input, such as from\n  "
            "arecord -t raw -f S16_LE -r 16000 | speaker-sidecar live -",
            EXIT_USAGE,
        )
    frame_bytes = channels * (2 if encoding == "s16le" else 4)
    n_bytes = round(_PIECE_S * sample_rate_hz) * frame_bytes
    pieces = _whole_frames(sys.stdin.buffer, n_bytes, frame_bytes)
    return Sound("standard input", sample_rate_hz, channels, encoding, pieces, is_live=True)


def _whole_frames(stream: Any, n_bytes: int, frame_bytes: int) -> Iterator[bytes]:  # noqa: ANN401
    """What comes, without waiting for more than there is."""
    rest = b""
    while data := stream.read1(n_bytes):
        held = rest + data
        n_whole = len(held) - len(held) % frame_bytes
        rest = held[n_whole:]
        yield held[:n_whole]


def open_file(path: Path, closing: contextlib.ExitStack) -> Sound:
    """A recording, which ``closing`` closes; raises ``Refusal``."""
    try:
        audio = closing.enter_context(soundfile.SoundFile(path.expanduser()))
    except (OSError, soundfile.SoundFileError) as error:
        raise Refusal(f"{path} cannot be read as audio: {error}", EXIT_USAGE) from error
    blocks = audio.blocks(round(_PIECE_S * audio.samplerate), dtype="float32", always_2d=True)
    pieces = (np.ascontiguousarray(block, "<f4").tobytes() for block in blocks)
    return Sound(str(path), audio.samplerate, audio.channels, "f32le", pieces, is_live=False)


def listen(
    sound: Sound, words: list[str], options: argparse.Namespace, progress: ProgressLine
) -> int:
    """Tell who speaks in ``sound``, by a sidecar with ``words``; the exit code."""
    if options.gallery is not None:
        if not options.gallery.is_file():
            raise Refusal(f"--gallery {options.gallery}: there is no such file", EXIT_USAGE)
        words = [*words, "--gallery", str(options.gallery.absolute())]
    console = open_console()
    with started_sidecar(words, progress, ends_at_ctrl_c=False) as (client, _start):
        console.print(f"{sound.title}: who speaks, as it is told. Ctrl-C ends it.\n")
        try:
            with LiveView(console) as view:
                live = client.live(
                    sample_rate_hz=sound.sample_rate_hz,
                    encoding=sound.encoding,
                    channels=sound.channels,
                    identify=options.gallery is not None,
                    on_turn=view.take,
                )
                speed = None if sound.is_live else options.speed
                _play(sound, live, view, speed)
                view.show("looking back at all of it")
                began_at = time.perf_counter()
                found = live.close()
                took_s = time.perf_counter() - began_at
        except RemoteError as error:
            if error.kind == "draining":
                _await_end(client)
            raise Refusal(f"{sound.title}: {error.message}", EXIT_UNAVAILABLE) from error
    console.print("\nIn hindsight:\n")
    show(DiarizedFile(Path(sound.title), _as_result(found), took_s), console, with_turns=True)
    return EXIT_OK


def _play(sound: Sound, live: Live, view: LiveView, speed: float | None) -> None:
    """Push it in its time, or ``speed`` times as fast; Ctrl-C ends it."""
    began_at, pushed_s = time.perf_counter(), 0.0
    with contextlib.suppress(KeyboardInterrupt):
        for piece in sound.pieces:
            pushed = live.push(piece)
            pushed_s = pushed.received_s
            view.show(f"{pushed_s:8.1f} s heard" + _lag(pushed.buffered_s))
            if speed is not None:
                time.sleep(max(0.0, began_at + pushed_s / speed - time.perf_counter()))


def _await_end(client: SpeakerSidecar) -> None:
    """Wait for the end of a sidecar that nobody asked to end: it raises ``ChildGone``, and why."""
    deadline = time.perf_counter() + _ENDS_WITHIN_S
    while time.perf_counter() < deadline:
        with contextlib.suppress(RemoteError):
            client.metrics()
        time.sleep(0.05)


def _lag(buffered_s: float) -> str:
    return f", {buffered_s:.1f} s behind" if buffered_s >= 1 else ""


def _as_result(found: Diarization) -> dict[str, Any]:
    """As it was on the wire, but for the embeddings: what is absent there is absent here."""
    result = dataclasses.asdict(found)
    result["speakers"] = [
        {name: value for name, value in speaker.items() if value is not None}
        for speaker in result["speakers"]
    ]
    return result


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return speed
