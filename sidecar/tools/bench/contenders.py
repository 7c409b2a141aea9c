"""The contenders: a sidecar over its wire, or a worker, a process that holds one engine.

Each is ready, and idle between its turns. ``about`` tells of what computes; ``start_ms`` counts
from the spawn to each state on the way.
"""

from __future__ import annotations

import functools
import operator
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias, TypeVar

import psutil

from protocol.params import EmbedBatchParams, EmbedParams, HealthParams, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.config import EXIT_SOFTWARE, EXIT_UNAVAILABLE, SAMPLE_RATE_HZ
from sidecar.serve_options import parse_serve_options
from sidecar.tools.bench.engines.engine import ENGINES, About, Engine
from sidecar.tools.bench.plan import Call, Entry, Turn, utterance
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.start import Start, started_sidecar, tail

_Answer = TypeVar("_Answer")


class Sidecar:
    """The real process, asked over its wire; times are what a host waits."""

    def __init__(self, entry: Entry, client: SpeakerSidecar, start: Start) -> None:
        self.entry, self._client = entry, client
        self.start_ms = {"hello": start.hello_ms, "ready": start.ready_ms}
        device = client.health["device"]
        self.about = About(device["runtime"], device["precision"], device["threads"])

    def take(self, turn: Turn) -> list[Call]:
        """The turn's timed calls."""
        sounds = [utterance(n).astype("<f4", copy=False).tobytes() for n in turn.n_samples]
        audios = tuple(PcmAudio(sound, "f32le", SAMPLE_RATE_HZ, 1) for sound in sounds)

        def call() -> float | None:
            if turn.way == "alone":
                return sum(map(self._embed, audios))
            if turn.way == "together":
                results = self._client.call(EmbedBatchParams(audios), None)["results"]
                assert all("result" in one for one in results), results
            else:
                with ThreadPoolExecutor(turn.in_flight) as hosts:
                    list(hosts.map(self._embed, audios))
            return None

        return turn.timed(call)

    def memory(self) -> dict[str, int | None]:
        """Bytes: resident, and the most that torch's allocator held on the GPU, if there is one."""
        gpu = self._client.call(HealthParams())["process"]["gpu_peak_reserved_bytes"]
        return {"rss": _rss_bytes(self._client.process.pid), "gpu": gpu}

    def _embed(self, audio: PcmAudio) -> float:
        return float(self._client.call(EmbedParams(audio), None)["timings"]["compute_ms"])


class Worker:
    """An engine in a process of its own; times are those of the calls inside it."""

    def __init__(self, entry: Entry, pool: ProcessPoolExecutor, log: Path) -> None:
        self.entry, self._pool, self._log = entry, pool, log
        began_at = time.monotonic()
        self.about: About = self.do(operator.attrgetter("about"))
        self.start_ms = {"ready": 1000 * (time.monotonic() - began_at)}

    def take(self, turn: Turn) -> list[Call]:
        """The turn's timed calls."""
        return self.do(functools.partial(take, turn))

    def memory(self) -> dict[str, int | None]:
        """As that of ``Sidecar``."""
        return self.do(memory)

    def do(self, deed: Callable[[Engine], _Answer]) -> _Answer:
        """Have it done with the engine; raises ``Refusal`` if that fails."""
        try:
            return self._pool.submit(do, self.entry, deed).result()
        except BrokenExecutor:
            why, exit_code = "its process died", EXIT_SOFTWARE
        except RuntimeError as error:
            why, exit_code = str(error), EXIT_UNAVAILABLE
        with self._log.open("rb") as log:
            raise Refusal(f"{self.entry.name}: {why}{tail(log)}", exit_code)


Contender: TypeAlias = Sidecar | Worker


@contextmanager
def opened(entry: Entry, progress: ProgressLine) -> Iterator[Contender]:
    """The contender, until the block ends; raises ``Refusal`` if it does not start."""
    if entry.kind == "wire":
        with started_sidecar(entry.serve_options, progress) as (client, start):
            yield Sidecar(entry, client, start)
        return
    progress.show(f"starting {entry.name}")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        with ProcessPoolExecutor(1, get_context("spawn"), print_to, (log,)) as pool:
            yield Worker(entry, pool, log)


def print_to(log: Path) -> None:
    """In the worker's process: what libraries print goes to ``log``."""
    file = os.fdopen(os.open(log, os.O_WRONLY), "w", buffering=1, encoding="utf-8")
    for fd in (1, 2):
        os.dup2(file.fileno(), fd)
    sys.stdout = sys.stderr = file


@functools.cache
def _engine(entry: Entry) -> Engine:
    """It is warm."""
    engine = ENGINES[entry.kind](parse_serve_options(entry.serve_options))
    take(Turn((16_000,)), engine)
    return engine


def do(entry: Entry, deed: Callable[[Engine], _Answer]) -> _Answer:
    """Do it with the engine; raises ``RuntimeError``: not all that libraries raise can be sent."""
    try:
        return deed(_engine(entry))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is
        why = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        raise RuntimeError(why) from None


def take(turn: Turn, engine: Engine) -> list[Call]:
    """The turn's timed calls. Nothing queues here: one by one, or together."""
    waveforms = [utterance(n) for n in turn.n_samples]
    groups = [waveforms] if turn.way == "together" else [[waveform] for waveform in waveforms]

    def call() -> None:
        for group in groups:
            engine.embed(group)

    return turn.timed(call)


def memory(engine: Engine) -> dict[str, int | None]:
    """Of this process, as that of ``Sidecar``."""
    return {"rss": _rss_bytes(os.getpid()), "gpu": engine.gpu_peak_bytes()}


def _rss_bytes(pid: int) -> int:
    """Of the process and its children: on Windows a venv's python.exe starts the real one."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
