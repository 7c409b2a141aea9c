"""The bench's arithmetic, turns, options and shapes; no time is measured here."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from protocol.errors import ModelUnavailable
from sidecar.tools.bench import command, contenders, measurement, plan, report
from sidecar.tools.bench.contenders import Sidecar, take
from sidecar.tools.bench.engines.engine import About
from sidecar.tools.bench.plan import QUICK, Entry, Extent, Plan, Turn
from sidecar.tools.console import Refusal

HEALTH = {
    "device": {
        "cpu": {"name": "Ryzen", "cores": 8, "simd": "AVX2"},
        "gpus": [{"index": 0, "name": "RTX 4070"}],
        "driver": "581.29",
        "torch": "2.14.1",
    },
    "model": {"id": "campplus-zh-en", "fingerprint": "campplus.0", "dim": 192},
}
# Of the report as JSON: others read it.
KEYS = [
    "speaker_sidecar",
    "python",
    "system",
    "cpu",
    "gpus",
    "driver",
    "versions",
    "load",
    "warnings",
    "model",
    "threads",
    "pause_s",
    "extent",
    "network_flop",
    "contenders",
    "figures",
]

# ---- Arithmetic ----


def test_a_spread():
    names = ("median", "lower_quartile", "upper_quartile", "least", "most", "n")
    for values, spread in (
        ([4, 1, 3, 2, 5], (3, 2, 4, 1, 5, 5)),
        ([10, 20], (15, 12.5, 17.5, 10, 20, 2)),
        ([7], (7, 7, 7, 7, 7, 1)),
    ):
        assert measurement.spread(values) == dict(zip(names, spread, strict=True))


def test_what_others_used_is_what_is_left_of_all_work(monkeypatch):
    monkeypatch.setattr(measurement.psutil, "cpu_count", lambda: 2)
    began, ended = os.times_result((10, 5, 20, 15, 100)), os.times_result((12, 6, 24, 18, 110))
    assert measurement.others_cores(75, began, ended) == pytest.approx(0.5)
    assert measurement.others_cores(40, began, ended) == 0  # clocks differ a little


def test_a_busy_machine_is_warned_of():
    assert measurement.busy_warnings(0.1, 0.2, 2) == []
    assert "used 0.9 cores during the run, of 2" in measurement.busy_warnings(0.1, 0.9, 2)[0]
    assert "load was 3.2 before" in measurement.busy_warnings(3.2, None, 2)[0]
    assert measurement.busy_warnings(None, None, 2) == []
    assert measurement.busy_warnings(9.0, 0.0, 2) == []  # it was over when the run began


# ---- What is measured ----


def test_the_two_tables_are_measured():
    found = set(Extent().tasks())
    assert {("latency", s) for s in (1, 3, 5, 10)} <= found
    for n in (1, 8, 16, 32):
        assert {("one_by_one", n), ("batch", n)} <= found
    assert {("sustained", 1), ("sustained", 8), ("sustained", 64), ("new_lengths", 120)} <= found


def test_a_batch_and_one_by_one_are_the_same_utterances():
    tasks = Extent(batches=(8,)).tasks()
    alone, together = (tasks[measure, 8][0] for measure in ("one_by_one", "batch"))
    assert alone.n_samples == together.n_samples == (16_000,) * 8
    assert (alone.way, together.way) == ("alone", "together")


def test_new_lengths_are_new():
    tasks = Extent(seconds=(1.0, 1.03, 1.06), n_lengths=120, long_rounds=3).tasks()
    turns = tasks["new_lengths", 120]
    lengths = [n for turn in turns for n in turn.n_samples]
    assert [len(turn.n_samples) for turn in turns] == [40, 40, 40]
    assert len(set(lengths)) == 120
    assert min(lengths) == 16_000 + 3 * 480
    assert {n % 480 for n in lengths} == {16_000 % 480}


def test_sustained_work_has_as_many_requests_as_were_asked_for():
    tasks = Extent(n_requests=500, long_rounds=3).tasks()
    turns = [turn for n in (1, 8, 64) for turn in tasks["sustained", n]]
    assert 500 <= sum(len(turn.n_samples) for turn in turns) < 500 + len(turns)
    assert [turn.in_flight for turn in turns] == [1, 1, 1, 8, 8, 8, 64, 64, 64]
    assert {turn.way for turn in turns} == {"queued"}
    assert min(turns[0].n_samples) == 16_000
    assert max(turns[0].n_samples) == 160_000
    assert len({tuple(sorted(turn.n_samples)) for turn in turns}) == 1


def test_every_process_makes_the_same_utterance():
    samples = plan.utterance(1600)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1
    assert (samples == plan.utterance(1600)).all()


# ---- Turns ----


def test_warm_ups_are_not_timed():
    ticks, computed = itertools.count(0, 0.5), iter([9.0, 1.0, 2.0])
    turn = Turn((100,), warm_ups=1, calls=2)
    calls = turn.timed(lambda: next(computed), lambda: next(ticks))
    assert calls == [(500, 1.0), (500, 2.0)]


def test_contenders_alternate_with_a_pause_before_each_turn():
    pauses = []
    turns = [Turn((n,)) for n in (1, 2, 3)]
    found = []
    for turn, name in measurement.alternate(turns, ["a", "b"], pauses.append):
        found.append((turn.n_samples[0], name))
        assert pauses == [0.25] * len(found)
    # Back and forth, so that what drifts favours nobody.
    assert found == [(1, "a"), (1, "b"), (2, "b"), (2, "a"), (3, "a"), (3, "b")]


@pytest.mark.parametrize(
    ("kind", "key", "call", "values"),
    [
        (
            "wire",
            ("latency", 3),
            (11, 9),
            [("latency", 3, "ms", 11), ("outside_compute", 3, "ms", 2)],
        ),
        ("own", ("latency", 3), (11, None), [("latency", 3, "ms", 11)]),
        ("wire", ("one_by_one", 2), (11, 9), [("one_by_one", 2, "ms", 11)]),
        ("wire", ("sustained", 8), (1000, None), [("sustained", 8, "x real time", 3)]),
        ("own", ("new_lengths", 6), (500, None), [("new_lengths", 6, "x real time", 6)]),
        ("product", ("latency", 3), (100, None), [("product_rate", 0, "GFLOP/s", 171.79869184)]),
    ],
)
def test_the_values_of_a_call(kind, key, call, values):
    turn = Turn((16_000, 32_000))
    assert list(measurement.values_of(kind, key, turn, call)) == values


# ---- Contenders ----


class FakeEngine:
    about = About("fake", "f32", 1)

    def __init__(self):
        self.batches = []

    def embed(self, waveforms):
        self.batches.append([len(waveform) for waveform in waveforms])

    def gpu_peak_bytes(self):
        return 5


@pytest.mark.parametrize(
    ("way", "batches"),
    [("alone", [[100], [200]]), ("queued", [[100], [200]]), ("together", [[100, 200]])],
)
def test_a_worker_takes_a_turn(way, batches):
    engine = FakeEngine()
    calls = take(Turn((100, 200), way, warm_ups=1, calls=2), engine)
    assert engine.batches == batches * 3
    assert [compute_ms for _, compute_ms in calls] == [None, None]


def entry(kind="own"):
    return Entry("in process, cpu", kind, "cpu", ("--model", "m"), is_optional=False)


def test_a_worker_opens_its_engine_once(monkeypatch):
    opened = []

    def open_engine(config):
        opened.append(config.model)
        return FakeEngine()

    monkeypatch.setitem(contenders.ENGINES, "fake", open_engine)
    first, second = (contenders.do(entry("fake"), lambda engine: engine) for _ in range(2))
    assert first is second
    assert opened == ["m"]
    assert first.batches == [[16_000]]  # it is warm
    memory = contenders.do(entry("fake"), contenders.memory)
    assert memory["gpu"] == 5
    assert memory["rss"] > 1e6


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
        contenders.do(entry("faulty"), take)
    assert str(pickle.loads(pickle.dumps(caught.value))) == why


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
    """Answers each embed once as many wait as may be in flight."""

    def __init__(self, in_flight=1):
        self.health = {"device": {"runtime": "torch", "precision": "f32", "threads": 1}}
        self.together = threading.Barrier(in_flight)
        self.n_items = []

    def call(self, params, timeout_s):
        assert timeout_s is None
        if params.method == "embed_batch":
            self.n_items.append(len(params.items))
            return {"results": [{"result": {}}] * len(params.items)}
        self.together.wait(10)
        return {"timings": {"compute_ms": 5.0}}


def test_a_sidecar_is_asked_in_each_way():
    client, start = FakeClient(), SimpleNamespace(hello_ms=50.0, ready_ms=500.0)
    sidecar = Sidecar(entry("wire"), client, start)
    [(_, compute_ms)] = sidecar.take(Turn((100, 200)))
    assert compute_ms == 10
    [(_, compute_ms)] = sidecar.take(Turn((100, 200), "together", warm_ups=2))
    assert compute_ms is None
    assert client.n_items == [2, 2, 2]
    client.together = threading.Barrier(4)
    [(_, compute_ms)] = sidecar.take(Turn((100,) * 12, "queued", in_flight=4))
    assert compute_ms is None


# ---- Who is measured ----


def test_others_come_first_then_each_device_with_each_variant():
    asked = Plan(
        ("--model", "m"),
        threads=2,
        extent=Extent(),
        against=("speechbrain", "sherpa-onnx"),
        variants=((), ("--runtime", "openvino", "--precision=bf16")),
    )
    found = asked.entries(["cpu", "cuda:0"])
    assert [entry.name for entry in found] == [
        "SpeechBrain eager, cpu",
        "SpeechBrain eager, cuda:0",
        "sherpa-onnx, cpu",
        "over the wire, cpu",
        "in process, cpu",
        "over the wire, cpu, runtime openvino precision bf16",
        "in process, cpu, runtime openvino precision bf16",
        "over the wire, cuda:0",
        "in process, cuda:0",
        "over the wire, cuda:0, runtime openvino precision bf16",
        "in process, cuda:0, runtime openvino precision bf16",
    ]
    assert found[5].serve_options == (
        "--model",
        "m",
        "--device",
        "cpu",
        "--threads",
        "2",
        "--runtime",
        "openvino",
        "--precision=bf16",
    )
    assert {entry.device for entry in found if entry.is_optional} == {"cuda:0"}


def test_a_device_that_was_named_must_run():
    asked = Plan((), threads=1, extent=QUICK, devices=("cuda:0",))
    assert not any(entry.is_optional for entry in asked.entries(asked.devices))
    assert asked.entry("product", "cuda:0").is_optional


# ---- Options ----


def options(*words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    return parser.parse_args(["--model", "campplus-zh-en", *words])


def test_a_plan_of_options():
    asked = command.plan_of(
        options(
            "--device=cuda,cpu",
            "--threads=3",
            "--seconds=1,2.5",
            "--batches=4",
            "--serve=--runtime openvino",
            "--serve=--gpu",
            "--quick",
        )
    )
    assert asked.devices == ("cuda:0", "cpu")
    assert asked.threads == 3
    assert asked.extent.seconds == (1, 2.5)
    assert asked.extent.batches == (4,)
    assert asked.extent.rounds == QUICK.rounds
    assert asked.variants == ((), ("--runtime", "openvino"), ("--gpu",))


@pytest.mark.parametrize(
    "word",
    ["--device=auto", "--device=tpu", "--seconds=0", "--seconds=x", "--batches=0", "--threads=-1"],
)
def test_an_option_that_cannot_be(word):
    with pytest.raises(argparse.ArgumentError, match="it must be"):
        options(word)


@pytest.mark.parametrize(
    ("model", "other", "why"),
    [
        ("campplus-zh-en", "speechbrain", "runs an ECAPA-TDNN"),
        ("ecapa-voxceleb", "sherpa-onnx", "runs campplus-zh-en, not ecapa-voxceleb"),
    ],
)
def test_another_program_must_fit_the_model(model, other, why, capsys):
    assert command.run(options("--model", model, "--against", other)) == 64
    assert why in " ".join(capsys.readouterr().err.split())


def test_what_is_not_installed_is_named_with_the_way_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _: None)
    assert command.run(options("--against", "sherpa-onnx")) == 69
    told = " ".join(capsys.readouterr().err.split())
    assert "sherpa_onnx, onnx, onnxscript must be installed" in told
    assert "pip install 'speaker-sidecar[bench]'" in told
    assert command.run(options("--plot", "out.png")) == 69
    assert "matplotlib" in capsys.readouterr().err


def test_an_unknown_model_is_told(capsys):
    assert command.run(options("--model", "nope", "--against", "speechbrain")) == 69
    assert "neither one of the catalog" in " ".join(capsys.readouterr().err.split())


def test_options_of_serve_behind_two_dashes_are_refused(capsys):
    asked = options()
    asked.child_argv = ["--gpu"]
    assert command.run(asked) == 64
    assert "--serve=" in capsys.readouterr().err


# ---- The report ----


def figures_of(measure, x, unit, values_of_contenders):
    keys = {"measure": measure, "x": x, "unit": unit}
    return [
        {**keys, "contender": name, **measurement.spread(values)}
        for name, values in values_of_contenders.items()
    ]


def found():
    about = {"precision": "f32", "threads": 2, "versions": {}, "remark": "", "takes_batches": True}
    own = about | {"runtime": "torch 2.14.1"}
    other = about | {"runtime": "sherpa-onnx", "remark": "other features", "takes_batches": False}
    factors = {
        "sherpa-onnx, cpu": 1,
        "over the wire, cpu": 0.5,
        "in process, cpu": 0.4,
        "over the wire, cuda:0": 0.05,
    }
    ours = {name: factor for name, factor in factors.items() if "sherpa" not in name}
    figures = []
    for s in (1.0, 3.0):
        times = {name: [round(f * s * ms, 3) for ms in (38, 40, 42)] for name, f in factors.items()}
        figures += figures_of("latency", s, "ms", times)
    wire = "over the wire, cpu"
    figures += figures_of("outside_compute", 1.0, "ms", {wire: [0.71, 0.73, 0.75]})
    figures += figures_of("one_by_one", 8, "ms", {name: [f * 320] for name, f in factors.items()})
    figures += figures_of("batch", 8, "ms", {name: [f * 200] for name, f in ours.items()})
    rates = {name: [25 / f] for name, f in factors.items()}
    figures += figures_of("sustained", 64, "x real time", rates)
    figures += figures_of("start_to_ready", 0, "ms", {name: [1234.5] for name in factors})
    figures += figures_of("rss_ready", 0, "bytes", {name: [150e6] for name in factors})
    figures += figures_of("product_rate", 0, "GFLOP/s", {"torch.mm, cpu": [80, 82, 84]})
    figures += figures_of("product_share", 1.0, "of 1", {wire: [0.67]})
    kinds = {"sherpa-onnx": "sherpa-onnx", "over the wire": "wire", "in process": "own"}
    return {
        "speaker_sidecar": "0.1.0",
        "python": "3.12.1",
        "system": "Windows-11",
        "cpu": {"name": "Ryzen", "cores": 8, "simd": "AVX2"},
        "gpus": [{"index": 0, "name": "RTX 4070"}],
        "versions": {"torch": "2.14.1", "sherpa-onnx": "2.0"},
        "load": {"average_before": 3.2, "others_cores": 1.5},
        "warnings": ["not measured: torch.mm, cuda:0: no torch"],
        "model": {"id": "campplus-zh-en", "fingerprint": "campplus.0"},
        "threads": 2,
        "network_flop": [{"seconds": 1.0, "flop": 1.1e9}, {"seconds": 3.0, "flop": 3.2e9}],
        "contenders": [
            {
                "name": name,
                "kind": kinds[name.split(", ")[0]],
                "device": name.split(", ")[1],
                "about": other if "sherpa" in name else own,
            }
            for name in factors
        ],
        "figures": figures,
    }


EXPECTED = """\
CPU               Ryzen, 8 cores, AVX2
GPU 0             RTX 4070
versions          torch 2.14.1, sherpa-onnx 2.0
other programs    load 3.2 before the run, 1.50 cores during it
model             campplus-zh-en
threads           2 for each contender, unless its name says otherwise
WARNING           not measured: torch.mm, cuda:0: no torch

contenders, each in a process of its own, one working at a time
sherpa-onnx, cpu        sherpa-onnx, f32, 2 threads
                        other features
over the wire, cpu      torch 2.14.1, f32, 2 threads
in process, cpu         torch 2.14.1, f32, 2 threads
over the wire, cuda:0   torch 2.14.1, f32, 2 threads
torch.mm, cpu           the yardstick: 2048^3 in f32 at 82 GFLOP/s (81-83)

A cell: the median, and times as fast as the first row; below, the quartiles.

one utterance, ms
                                1 s           3 s
sherpa-onnx, cpu         40.0 1.00x     120 1.00x
                          39.0-41.0       117-123
over the wire, cpu       20.0 2.00x    60.0 2.00x
                          19.5-20.5     58.5-61.5
in process, cpu          16.0 2.50x    48.0 2.50x
                          15.6-16.4     46.8-49.2
over the wire, cuda:0   2.00 20.00x   6.00 20.00x
                          1.95-2.05     5.85-6.15

apart from computing: what a host waits beyond it, ms
                                                     1 s      3 s
over the wire, cpu                            0.73 1.00x        -
                                               0.72-0.74
over the wire, cpu: ms more than in process        +4.00   +12.00

utterances of 1 s, one by one, ms
                                  8
sherpa-onnx, cpu          320 1.00x
over the wire, cpu        160 2.00x
in process, cpu           128 2.50x
over the wire, cuda:0   16.0 20.00x

utterances of 1 s, together, ms
                                  8
over the wire, cpu        100 1.00x
in process, cpu          80.0 1.25x
over the wire, cuda:0   10.0 10.00x

seconds of audio a second: utterances of 1 to 10 s; in process one by one
                        64 in flight
sherpa-onnx, cpu          25.0 1.00x
over the wire, cpu        50.0 2.00x
in process, cpu           62.5 2.50x
over the wire, cuda:0     500 20.00x

share of the matrix product's rate: the network's work in the time of the whole call
                        1 s    3 s
over the wire, cpu     67 %      -
GFLOP of the network   1.10   3.20

the process, its files in the disk's cache: from start to hello and to ready, ms; memory, MB
                             ready   RSS
sherpa-onnx, cpu        1234 1.00x   150
over the wire, cpu      1234 1.00x   150
in process, cpu         1234 1.00x   150
over the wire, cuda:0   1234 1.00x   150

GPU against CPU, times as fast: one utterance; a batch against one by one
                           1 s      3 s   batch of 8
over the wire, cuda:0   10.00x   10.00x       16.00x
"""


def test_the_tables_are_laid_out(capsys):
    report.show(found())
    text = capsys.readouterr().out
    assert text[text.index("CPU") :] == EXPECTED
    assert text.startswith(
        "\nspeaker-sidecar   0.1.0, Python 3.12.1\nsystem            Windows-11\n"
    )


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_shows_every_number_whole(width, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    report.show(found())
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width
    assert any("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 9 in line for line in lines)
    told = set(" ".join(lines).split())
    assert {word for word in EXPECTED.split() if word[0].isdigit()} <= told


def test_a_plan_is_measured_and_reported(monkeypatch):
    """All but the processes: what each contender would say stands in their place."""

    class FakeContender:
        def __init__(self, entry):
            self.entry = entry
            self.start_ms = {"ready": 500.0}
            batches = entry.kind != "sherpa-onnx"
            self.about = About("fake", "f32", 2, {"lib": "1"}, takes_batches=batches)

        def take(self, turn):
            ms = 1.0 if self.entry.kind == "product" else sum(turn.n_samples) / 16_000
            return [(ms, ms / 10 if self.entry.kind == "wire" else None)] * turn.calls

        def memory(self):
            return {"rss": 5, "gpu": None}

        def do(self, deed):
            return deed(SimpleNamespace(count_flop=lambda n: n * 1000))

    @contextmanager
    def opened(entry, _):
        if entry.device == "cuda:0":
            raise Refusal(f"{entry.name}: no GPU", 69)
        yield FakeContender(entry)

    @contextmanager
    def started(*_):
        yield SimpleNamespace(health=HEALTH), None

    monkeypatch.setattr(measurement, "opened", opened)
    monkeypatch.setattr(measurement, "Worker", FakeContender)
    monkeypatch.setattr(measurement, "started_sidecar", started)
    monkeypatch.setattr(measurement, "PAUSE_S", 0)
    monkeypatch.setattr(measurement, "others_cores", lambda *_: 1.5)
    asked = Plan((), threads=2, extent=QUICK, against=("sherpa-onnx",))
    progress = SimpleNamespace(show=lambda _: None, clear=lambda: None)
    told = json.loads(json.dumps(measurement.measure(asked, progress)))
    names = ["sherpa-onnx, cpu", "over the wire, cpu", "in process, cpu"]
    assert list(told) == KEYS
    assert [one["name"] for one in told["contenders"]] == names
    assert list(told["contenders"][0]) == ["name", "kind", "device", "about"]
    assert told["contenders"][0]["about"] == {
        "runtime": "fake",
        "precision": "f32",
        "threads": 2,
        "versions": {"lib": "1"},
        "remark": "",
        "takes_batches": False,
    }
    assert set(told["load"]) == {"average_before", "others_cores"}
    assert told["versions"] == {"torch": "2.14.1", "lib": "1"}
    assert told["warnings"][-2:] == [
        "not measured: over the wire, cuda:0: no GPU",
        "not measured: in process, cuda:0: no GPU",
    ]
    assert told["network_flop"] == [
        {"seconds": 1.0, "flop": 16_000_000},
        {"seconds": 3.0, "flop": 48_000_000},
    ]
    figures = {(f["measure"], f["x"], f["contender"]): f for f in told["figures"]}
    assert {name for measure, _, name in figures if measure == "batch"} == set(names[1:])
    for name in names:
        found = {(measure, x) for measure, x, contender in figures if contender == name}
        assert {("latency", 3), ("new_lengths", 6), ("sustained", 64), ("one_by_one", 8)} <= found
        assert {("rss_ready", 0), ("rss_after", 0), ("start_to_ready", 0)} <= found
        # 16 MFLOP in 1 ms, where the product's 17.2 GFLOP take 1 ms.
        share = figures["product_share", 1.0, name]["median"]
        assert share == pytest.approx(16e6 / (2 * 2048**3))
    assert figures["outside_compute", 3.0, "over the wire, cpu"] == {
        "measure": "outside_compute",
        "x": 3.0,
        "contender": "over the wire, cpu",
        "unit": "ms",
        "median": pytest.approx(2.7),
        "lower_quartile": pytest.approx(2.7),
        "upper_quartile": pytest.approx(2.7),
        "least": pytest.approx(2.7),
        "most": pytest.approx(2.7),
        "n": QUICK.rounds * QUICK.calls,
    }
    assert ("product_rate", 0, "torch.mm, cpu") in figures


def test_the_picture_has_every_contender():
    latency, throughput = report.curves_of(found())
    assert latency["in process, cpu"] == [(1.0, 16.0), (3.0, 48.0)]
    assert throughput["over the wire, cpu"] == [(8, 80.0)]
    assert throughput["sherpa-onnx, cpu"] == [(8, 25.0)]  # it takes them one by one
    assert set(throughput) == set(latency)


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / "out.svg"
    report.draw(found(), path)
    assert "<svg" in path.read_text("utf-8")
    with pytest.raises(Refusal, match="nope"):
        report.draw(found(), tmp_path / "out.nope")
