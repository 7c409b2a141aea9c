"""The contenders as the driver holds them: a worker's process, or a sidecar over its wire."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from protocol.params import EmbedBatchParams, EmbedParams, HealthParams, Params, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.config import EXIT_SOFTWARE, EXIT_UNAVAILABLE, SAMPLE_RATE_HZ
from sidecar.tools.bench.engines.engine import About
from sidecar.tools.bench.rounds import Call
from sidecar.tools.bench.tasks import Turn, utterance
from sidecar.tools.console import ProgressLine, Refusal
from sidecar.tools.program import own_argv
from sidecar.tools.started_sidecar import Start, started_sidecar, tail

_PRODUCTS = Turn((1,), warm_ups=1, calls=3)
_END_TIMEOUT_S = 10.0


class Sidecar:
    """The real process, asked over its wire; times are what a host waits."""

    takes_batches = True

    def __init__(self, name: str, client: SpeakerSidecar, start: Start) -> None:
        self.name = name
        self._client = client
        self.start_ms = {"hello": start.hello_ms, "ready": start.ready_ms}
        device = client.health["device"]
        self.about = About(
            runtime=device["runtime"], precision=device["precision"], threads=device["threads"]
        )

    def take(self, turn: Turn) -> list[Call]:
        """See ``Contender``."""
        audios = [_audio(n) for n in turn.n_samples]
        ways: dict[str, Callable[[list[PcmAudio], int], float | None]] = {
            "alone": self._alone,
            "together": self._together,
            "queued": self._queued,
        }
        calls = []
        for i_call in range(turn.warm_ups + turn.calls):
            began_at = time.perf_counter()
            compute_ms = ways[turn.way](audios, turn.in_flight)
            if i_call >= turn.warm_ups:
                calls.append(Call(1000 * (time.perf_counter() - began_at), compute_ms))
        return calls

    def memory(self) -> dict[str, int | None]:
        """Bytes, resident and on the GPU."""
        process = self._client.call(HealthParams())["process"]
        return {
            "rss_bytes": _rss_bytes(self._client.process.pid),
            "gpu_peak_bytes": process["gpu_peak_reserved_bytes"],
        }

    def _alone(self, audios: list[PcmAudio], _in_flight: int) -> float | None:
        compute_ms = 0.0
        for audio in audios:
            compute_ms += self._ask(EmbedParams(audio))["timings"]["compute_ms"]
        return compute_ms

    def _together(self, audios: list[PcmAudio], _in_flight: int) -> None:
        for one in self._ask(EmbedBatchParams(tuple(audios)))["results"]:
            assert "result" in one, one

    def _queued(self, audios: list[PcmAudio], in_flight: int) -> None:
        room = threading.Semaphore(in_flight)
        futures = []
        for audio in audios:
            room.acquire()
            _, future = self._client.send(EmbedParams(audio))
            future.add_done_callback(lambda _: room.release())
            futures.append(future)
        for future in futures:
            future.result()

    def _ask(self, params: Params) -> dict[str, Any]:
        return self._client.call(params, timeout_s=None)


def _audio(n_samples: int) -> PcmAudio:
    samples = utterance(n_samples).astype("<f4", copy=False)
    return PcmAudio(samples.tobytes(), "f32le", SAMPLE_RATE_HZ, 1)


@contextmanager
def opened_sidecar(
    name: str, serve_options: Sequence[str], progress: ProgressLine
) -> Iterator[Sidecar]:
    """A sidecar that is ready; raises ``Refusal`` if it does not start."""
    with started_sidecar(serve_options, progress) as (client, start):
        yield Sidecar(name, client, start)


class Worker:
    """A process of ``worker``; times are those of the calls inside it."""

    def __init__(self, name: str, process: subprocess.Popen[str], about: About) -> None:
        self.name = name
        self.about = about
        self.takes_batches = about.takes_batches
        self.start_ms: dict[str, float] = {}
        self._process = process

    def take(self, turn: Turn) -> list[Call]:
        """See ``Contender``."""
        return [Call(ms) for ms in self.ask({"turn": dataclasses.asdict(turn)})["ms"]]

    def memory(self) -> dict[str, int | None]:
        """Bytes, resident and on the GPU."""
        gpu_peak_bytes = self.ask({"memory": True})["gpu_peak_bytes"]
        return {"rss_bytes": _rss_bytes(self._process.pid), "gpu_peak_bytes": gpu_peak_bytes}

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        """Send one line and wait for its answer; raises ``Refusal`` if the process died."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        return _answer_of(self._process, self.name)


class Product(Worker):
    """The yardstick: products, whatever the turn is."""

    def take(self, turn: Turn) -> list[Call]:
        """See ``Contender``."""
        del turn
        return super().take(_PRODUCTS)


@contextmanager
def opened_worker(
    name: str, kind: str, serve_options: Sequence[str], progress: ProgressLine
) -> Iterator[Worker]:
    """A worker that is ready; raises ``Refusal`` if its engine does not open."""
    progress.show(f"starting {name}")
    argv = [*own_argv(), "bench", "--contender", kind, "--", *serve_options]
    began_at = time.monotonic()
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=log, encoding="utf-8")
        try:
            try:
                about = About(**_answer_of(process, name)["ready"])
                worker = (Product if kind == "product" else Worker)(name, process, about)
                worker.start_ms = {"ready": 1000 * (time.monotonic() - began_at)}
                yield worker
            except Refusal as refusal:
                raise Refusal(f"{refusal}{tail(log)}", refusal.exit_code) from refusal
        finally:
            _end(process)


def _answer_of(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        code = process.wait()
        raise Refusal(f"{name}: its process ended (exit code {code})", EXIT_SOFTWARE)
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise Refusal(f"{name}: {answer['error']}", EXIT_UNAVAILABLE)
    return answer


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _rss_bytes(pid: int) -> int:
    """Of the process and its children: on Windows a venv's python.exe starts the real one."""
    process = psutil.Process(pid)
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += int(one.memory_info().rss)
    return total
