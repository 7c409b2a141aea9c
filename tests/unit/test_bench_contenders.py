"""The bench's sidecars and engines, up to the libraries that compute."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from concurrent.futures import BrokenExecutor
from threading import current_thread
from types import SimpleNamespace

import pytest

from protocol.errors import ModelUnavailable
from sidecar.tools.bench import contenders
from sidecar.tools.bench.contenders import Sidecar
from sidecar.tools.bench.engines import About, Engine
from sidecar.tools.bench.plan import Entry, Turn
from sidecar.tools.console import Refusal

ABOUT = About("fake", "f32", 1)


def entry(kind):
    return Entry("in process, cpu", kind, "cpu", ("--model", "m"), is_optional=False)


def test_nothing_queues_at_an_engine():
    threads = []
    Engine(ABOUT, lambda _: threads.append(current_thread())).take(Turn((100, 200), in_flight=2))
    assert threads == [current_thread()] * 2


def test_an_engine_tells_what_its_process_holds(monkeypatch):
    torch = SimpleNamespace(cuda=SimpleNamespace(max_memory_reserved={"cuda:1": 5}.get))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert Engine(ABOUT, len, "cuda:1").memory()["gpu"] == 5
    memory = Engine(ABOUT, len).memory()
    assert memory["gpu"] is None
    assert memory["rss"] > 1e6


def test_an_engine_is_opened_once_and_is_warm(monkeypatch):
    opened, lengths = [], []

    def open_engine(config):
        opened.append(config.model)
        return Engine(ABOUT, lambda waveforms: lengths.extend(map(len, waveforms)))

    monkeypatch.setitem(contenders.ENGINES, "fake", open_engine)
    first, second = (
        contenders.run_in_worker(entry("fake"), lambda engine: engine) for _ in range(2)
    )
    assert first is second
    assert opened == ["m"]
    assert lengths == [16_000]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (ModelUnavailable("no such model"), "no such model"),
        (ImportError("no torch"), "ImportError: no torch"),
        (SystemExit(64), "SystemExit: 64"),  # options of serve that do not fit
    ],
)
def test_whatever_fails_in_a_worker_can_be_sent(fault, why, monkeypatch):
    def fail(_):
        raise fault

    monkeypatch.setitem(contenders.ENGINES, "faulty", fail)
    with pytest.raises(RuntimeError) as caught:
        contenders.run_in_worker(entry("faulty"), lambda engine: engine)
    assert str(pickle.loads(pickle.dumps(caught.value))) == why


@pytest.mark.parametrize(
    ("fault", "why", "exit_code"),
    [
        (BrokenExecutor("terminated"), "its process died", 70),
        (RuntimeError("no torch"), "no torch", 69),
    ],
)
def test_why_an_engine_failed_is_told_with_its_last_words(fault, why, exit_code, monkeypatch):
    def pool(_n_processes, _context, _print_to, logs):
        def submit(*_):
            logs[0].write_text("last\nwords\n", "utf-8")
            raise fault

        return contextlib.nullcontext(SimpleNamespace(submit=submit))

    monkeypatch.setattr(contenders, "ProcessPoolExecutor", pool)
    progress = SimpleNamespace(show=lambda _: None)
    with pytest.raises(Refusal) as caught, contenders.opened(entry("own"), progress):
        pass
    assert str(caught.value) == f"in process, cpu: {why}\n  last\n  words"
    assert caught.value.exit_code == exit_code


def test_what_libraries_print_in_a_worker_goes_to_its_log(tmp_path):
    log = tmp_path / "log"
    log.touch()
    code = (
        "import os, sys; from pathlib import Path; from sidecar.tools.bench import contenders;"
        "contenders.print_to(Path(sys.argv[1])); print('a'); os.write(1, b'b\\n');"
        "print('c', file=sys.stderr); os.write(2, b'd\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, log], capture_output=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert log.read_text("utf-8").splitlines() == ["a", "b", "c", "d"]


class FakeClient:
    def __init__(self):
        self.health = {"device": {"runtime": "torch", "precision": "f32", "threads": 1}}
        self.asked = []

    def call(self, params, timeout_s=60):
        if params.method == "health":
            return {"process": {"rss_bytes": 7, "gpu_peak_reserved_bytes": None}}
        assert timeout_s is None
        n_items = len(params.items) if params.method == "embed_batch" else 1
        self.asked.append((params.method, n_items))
        return {"results": [{"result": {}}] * n_items, "timings": {"compute_ms": 5.0}}


def test_a_sidecar_is_asked_in_each_way():
    client = FakeClient()
    sidecar = Sidecar(client)
    assert sidecar.about == About("torch", "f32", 1)
    [(_, compute_ms)] = sidecar.take(Turn((100, 200)))
    assert compute_ms == 10
    sidecar.take(Turn((100, 200), together=True, warm_ups=2))
    sidecar.take(Turn((100,), together=True))
    assert client.asked == [("embed", 1)] * 2 + [("embed_batch", 2)] * 3 + [("embed_batch", 1)]
    assert sidecar.memory() == {"rss": 7, "gpu": None}
