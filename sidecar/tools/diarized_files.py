"""Recordings, each diarized by one sidecar, for a person who waits."""

from __future__ import annotations

import argparse
import concurrent.futures
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from protocol.diarization import DiarizeParams
from protocol.params import PcmAudio
from protocol.python import RemoteError, SpeakerSidecar
from protocol.python.embedding import as_audio
from sidecar.bundle import is_bundle
from sidecar.config import DEVICE_PATTERN, EXIT_USAGE, SAMPLE_RATE_HZ
from sidecar.serve_options import add_models_dir, positive
from sidecar.store.prebuilt import default_model
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.demo_report import CAMPPLUS
from sidecar.tools.started_sidecar import POLL_S, started_sidecar

# What a folder's recordings end with.
# fmt: off
SUFFIXES = frozenset((
    ".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf",
    ".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma", ".amr",
))
# fmt: on

Result: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """One speaker speaks, from ``start_s`` to ``end_s``; ``name``: the person's, or a label."""

    start_s: float
    end_s: float
    name: str
    overlap: bool


@dataclass(frozen=True, slots=True)
class DiarizedFile:
    """One recording, the answer, and for how many seconds it was waited for."""

    path: Path
    result: Result
    took_s: float

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return float(self.result["duration_s"])

    @property
    def names(self) -> dict[str, str]:
        """What each label is to be called: the person's name, where that is known."""
        return {
            one["label"]: one["person"]["name"] if "person" in one else one["label"]
            for one in self.result["speakers"]
        }

    @property
    def turns(self) -> list[SpokenTurn]:
        """Who speaks when, in the order of the starts."""
        names = self.names
        return [
            SpokenTurn(one["start_s"], one["end_s"], names[one["speaker"]], one["overlap"])
            for one in self.result["turns"]
        ]


def add_sidecar_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sidecar that diarizes."""
    add = parser.add_argument
    model = "the first that it carries" if is_bundle() else CAMPPLUS
    add("--model", metavar="ID|DIR", help=f"default: {model}")
    add_models_dir(parser)
    add("--offline", action="store_true", help="never use the network")
    add("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="default: %(default)s")
    add("--threads", type=positive, metavar="N", help="as for serve")


def serve_options(options: argparse.Namespace) -> list[str]:
    """What the sidecar is started with; raises ``Refusal``."""
    if not DEVICE_PATTERN.fullmatch(options.device):
        raise Refusal(f"--device {options.device}: must be auto, cpu, cuda or cuda:N", EXIT_USAGE)
    default = default_model(options.models_dir) if is_bundle() else CAMPPLUS
    words = ["--model", options.model or default, "--device", options.device]
    if options.models_dir is not None:
        words += ["--models-dir", str(options.models_dir)]
    if options.offline:
        words.append("--offline")
    if options.threads is not None:
        words += ["--threads", str(options.threads)]
    return words


def find_recordings(named: Sequence[Path]) -> list[Path]:
    """The files that are named, and those in folders; raises ``Refusal`` where there is none."""
    found: list[Path] = []
    for path in named:
        if path.is_dir():
            inside = (one for one in path.iterdir() if one.suffix.lower() in SUFFIXES)
            found += sorted(one for one in inside if one.is_file())
        else:
            found.append(path)
    if not found:
        raise Refusal("no recording is in what was named", EXIT_USAGE)
    return found


def diarize_each(
    words: Sequence[str],
    paths: Sequence[Path],
    progress: ProgressLine,
    asking: Callable[[Path], DiarizeParams],
    *,
    is_timed: bool = False,
) -> Iterator[DiarizedFile | tuple[Path, str]]:
    """Each recording's answer as it comes, or why there is none, by a sidecar with ``words``.

    ``is_timed``: all networks are loaded before the first one.

    Raises:
        Refusal: see ``started_sidecar``.
    """
    with started_sidecar(words, progress) as (client, _start):
        if is_timed:
            silence = PcmAudio(bytes(2 * SAMPLE_RATE_HZ), "s16le", SAMPLE_RATE_HZ, 1)
            _ask(client, DiarizeParams(silence), "silence:", progress)
        for number, path in enumerate(paths, start=1):
            began_at = time.perf_counter()
            which = path.name if len(paths) == 1 else f"{path.name} ({number} of {len(paths)})"
            try:
                result = _ask(client, asking(path), f"{which}:", progress)
            except RemoteError as error:
                progress.clear()
                yield path, error.message
                continue
            progress.clear()
            yield DiarizedFile(path, result, time.perf_counter() - began_at)


def params_for(path: Path, **more: Any) -> DiarizeParams:  # noqa: ANN401 - they are its own
    """What is asked about the recording at ``path``."""
    return DiarizeParams(as_audio(path.expanduser().absolute()), progress=True, **more)


def _ask(
    client: SpeakerSidecar, params: DiarizeParams, which: str, progress: ProgressLine
) -> Result:
    told: list[tuple[int, int | None]] = []
    _id, future = client.send(params, lambda done, total: told.append((done, total)))
    progress.show(which, "listening")
    while not future.done():  # on Windows, Ctrl-C is noticed between two waits
        concurrent.futures.wait([future], POLL_S)
        if told:
            done, total = told[-1]
            progress.show(which, f"{done} s" if total is None else f"{done} of {total} s")
    return future.result()
