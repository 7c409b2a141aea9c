"""The contenders: a sidecar, asked over its wire, or an engine, in a process of its own."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.params import EmbedBatchParams, EmbedParams, HealthParams, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.config import EXIT_SOFTWARE, EXIT_UNAVAILABLE, SAMPLE_RATE_HZ
from sidecar.serve_options import parse_serve_options
from sidecar.tools.bench.engines import ENGINES, About, Engine
from sidecar.tools.bench.plan import Call, Entry, Turn, Waveforms
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.started_sidecar import started_sidecar, tail

Action = Callable[[Any], Any]


@dataclass(frozen=True)
class Contender:
    """One that is ready, and idle between its turns.

    ``start_ms`` counts from the spawn to each state on the way. ``run`` runs an action where the
    ``Sidecar`` or the ``Engine`` is, and raises ``Refusal`` if it fails.
    """

    entry: Entry
    about: About
    start_ms: dict[str, float]
    run: Callable[[Action], Any]


class Sidecar:
    """The real process; times are what a host waits. Its methods are those of an ``Engine``."""

    def __init__(self, client: SpeakerSidecar) -> None:
        self._client = client
        device = client.health["device"]
        self.about = About(device["runtime"], device["precision"], device["threads"])

    def take(self, turn: Turn) -> list[Call]:
        """The turn's timed calls."""
        return turn.timed(self._embed_batch if turn.together else self._embed)

    def memory(self) -> dict[str, int | None]:
        """Bytes: resident, and the most that torch's allocator held on the GPU, if there is one."""
        process = self._client.call(HealthParams())["process"]
        return {"rss": process["rss_bytes"], "gpu": process["gpu_peak_reserved_bytes"]}

    def _embed(self, waveforms: Waveforms) -> float:
        [audio] = map(_pcm, waveforms)
        return float(self._client.call(EmbedParams(audio), None)["timings"]["compute_ms"])

    def _embed_batch(self, waveforms: Waveforms) -> None:
        batch = EmbedBatchParams(tuple(map(_pcm, waveforms)))
        results = self._client.call(batch, None)["results"]
        assert all("result" in one for one in results), results


def _pcm(waveform: NDArray[np.float32]) -> PcmAudio:
    return PcmAudio(waveform.tobytes(), "f32le", SAMPLE_RATE_HZ, 1)


@contextmanager
def opened(entry: Entry, progress: ProgressLine) -> Iterator[Contender]:
    """The contender, until the block ends; raises ``Refusal`` if it does not start."""
    if entry.kind == "wire":
        with started_sidecar(entry.serve_options, progress) as (client, start):
            sidecar = Sidecar(client)
            start_ms = {"hello": start.hello_ms, "ready": start.ready_ms}
            yield Contender(entry, sidecar.about, start_ms, lambda action: action(sidecar))
        return
    progress.show(f"starting {entry.name}")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        with ProcessPoolExecutor(1, get_context("spawn"), print_to, (log,)) as pool:
            run = functools.partial(_send_to_worker, pool, log, entry)
            began_at = time.perf_counter()
            about: Any = run(attrgetter("about"))
            yield Contender(entry, about, {"ready": 1000 * (time.perf_counter() - began_at)}, run)


def _send_to_worker(pool: ProcessPoolExecutor, log: Path, entry: Entry, action: Action) -> object:
    try:
        return pool.submit(run_in_worker, entry, action).result()
    except RuntimeError as error:
        died = isinstance(error, BrokenExecutor)
        why, exit_code = ("its process died", EXIT_SOFTWARE) if died else (error, EXIT_UNAVAILABLE)
        with log.open("rb") as told:
            message = f"{entry.name}: {why}{tail(told)}"
        raise Refusal(message, exit_code) from error


def print_to(log: Path) -> None:
    """In the engine's process: what libraries print goes to ``log``."""
    file = log.open("a", buffering=1, encoding="utf-8")
    for fd in (1, 2):
        os.dup2(file.fileno(), fd)
    sys.stdout = sys.stderr = file


@functools.cache
def _warm_engine(entry: Entry) -> Engine:
    engine = ENGINES[entry.kind](parse_serve_options(entry.serve_options))
    engine.take(Turn((16_000,)))
    return engine


def run_in_worker(entry: Entry, action: Action) -> object:
    """Run it with the engine; raises ``RuntimeError``: not all that libraries raise can be sent."""
    try:
        return action(_warm_engine(entry))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is
        why = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        raise RuntimeError(why) from None
