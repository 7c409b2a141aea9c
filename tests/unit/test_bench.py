"""The bench's arithmetic, turns, options and shapes; no time is measured here."""

from __future__ import annotations

import argparse
import io
import itertools
import json
import threading
from concurrent.futures import Future

import numpy as np
import pytest

from sidecar.tools.bench import (
    command,
    driver,
    load,
    plan,
    table,
    tasks,
    worker,
)
from sidecar.tools.bench.contenders import Sidecar
from sidecar.tools.bench.engines.engine import About
from sidecar.tools.bench.figures import (
    Spread,
    gflop_per_s,
    spread,
    times_as_fast,
    times_real_time,
)
from sidecar.tools.bench.load import CpuUse, Load
from sidecar.tools.bench.picture import draw, latency_series, throughput_series
from sidecar.tools.bench.report import Findings, Member, as_json
from sidecar.tools.bench.rounds import Call, alternate
from sidecar.tools.bench.tasks import (
    QUICK,
    Extent,
    Task,
    Turn,
)

HEALTH = {
    "device": {
        "cpu": {"name": "Ryzen", "cores": 8, "simd": "AVX2"},
        "gpus": [{"index": 0, "name": "RTX 4070"}],
        "driver": "581.29",
        "torch": "2.14.1",
    },
    "model": {"id": "campplus-zh-en", "fingerprint": "campplus.0"},
}
PLAN = plan.Plan("campplus-zh-en", ("--model", "campplus-zh-en"), threads=2, extent=Extent())


# ---- Arithmetic ----


def test_a_spread():
    assert spread([4, 1, 3, 2, 5]) == Spread(3, 2, 4, 1, 5, 5)
    assert spread([10, 20]) == Spread(15, 12.5, 17.5, 10, 20, 2)
    assert spread([7]) == Spread(7, 7, 7, 7, 7, 1)


def test_ratios_and_rates():
    assert times_as_fast(90, 45) == 2
    assert times_real_time(3 * 16_000, 100) == 30
    assert gflop_per_s(2 * 2048**3, 100) == pytest.approx(171.8, abs=0.1)


def test_what_others_used_is_what_is_left_of_all_work():
    before, after = CpuUse(100, 1000, 50), CpuUse(110, 1015, 60)
    assert load.others_cores(before, after) == 0.5
    assert load.others_cores(before, CpuUse(110, 1009, 60)) == 0  # clocks differ a little


def test_a_busy_machine_is_warned_of():
    assert load.busy_warning(Load(0.1, 0.2), 2) is None
    assert "used 0.9 cores during the run, of 2" in load.busy_warning(Load(0.1, 0.9), 2)
    assert "load was 3.2 before" in load.busy_warning(Load(3.2, None), 2)
    assert load.busy_warning(Load(None, None), 2) is None
    assert load.busy_warning(Load(9.0, 0.0), 2) is None  # it was over when the run began


# ---- What is measured ----


def test_the_two_tables_are_measured():
    found = {(task.measure, task.x) for task in tasks.tasks_of(Extent())}
    assert {("latency", s) for s in (1, 3, 5, 10)} <= found
    for n in (1, 8, 16, 32):
        assert {("one_by_one", n), ("batch", n)} <= found
    assert {("sustained", 1), ("sustained", 8), ("sustained", 64), ("new_lengths", 120)} <= found


def test_a_batch_and_one_by_one_are_the_same_utterances():
    by_measure = {t.measure: t for t in tasks.tasks_of(Extent(batches=(8,)))}
    alone, together = (by_measure[m].turns[0] for m in ("one_by_one", "batch"))
    assert alone.n_samples == together.n_samples == (16_000,) * 8
    assert (alone.way, together.way) == ("alone", "together")


def test_new_lengths_are_new():
    extent = Extent(seconds=(1.0, 1.03, 1.06), n_lengths=120, long_rounds=3)
    [task] = [t for t in tasks.tasks_of(extent) if t.measure == "new_lengths"]
    lengths = [n for turn in task.turns for n in turn.n_samples]
    assert [len(turn.n_samples) for turn in task.turns] == [40, 40, 40]
    assert len(set(lengths)) == 120
    assert min(lengths) == 16_000 + 3 * 480
    assert {n % 480 for n in lengths} == {16_000 % 480}


def test_sustained_work_has_as_many_requests_as_were_asked_for():
    turns = [
        turn
        for task in tasks.tasks_of(Extent(n_requests=500, long_rounds=3))
        if task.measure == "sustained"
        for turn in task.turns
    ]
    assert 500 <= sum(len(turn.n_samples) for turn in turns) < 500 + len(turns)
    assert {turn.in_flight for turn in turns} == {1, 8, 64}
    assert min(turns[0].n_samples) == 16_000
    assert max(turns[0].n_samples) == 160_000
    assert len({tuple(sorted(turn.n_samples)) for turn in turns}) == 1


def test_every_process_makes_the_same_utterance():
    samples = tasks.utterance(1600)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1
    assert (samples == tasks.utterance(1600)).all()


# ---- Turns ----


class FakeClock:
    def __init__(self):
        self.now = 0.0
        self.log = []

    def sleep(self, seconds):
        self.now += seconds
        self.log.append(f"pause {seconds}")


class FakeContender:
    takes_batches = True

    def __init__(self, name, clock, call_s):
        self.name, self._clock, self._call_s = name, clock, call_s

    def take(self, turn):
        self._clock.log.append(self.name)
        began = self._clock.now
        self._clock.now += self._call_s
        return [Call(1000 * (self._clock.now - began))] * turn.calls


def test_contenders_alternate_with_a_pause_before_each_turn():
    clock = FakeClock()
    a, b = FakeContender("a", clock, 0.125), FakeContender("b", clock, 0.5)
    task = Task("latency", 1, (Turn((16_000,), calls=2),) * 3)
    calls = alternate(task, [a, b], clock.sleep, pause_s=0.25)
    # Back and forth, so that what drifts favours nobody.
    assert clock.log[1::2] == ["a", "b", "b", "a", "a", "b"]
    assert set(clock.log[::2]) == {"pause 0.25"}
    assert {name: [call.ms for call in found] for name, found in calls.items()} == {
        "a": [125.0] * 6,
        "b": [500.0] * 6,
    }


def test_figures_of_a_latency():
    task = Task("latency", 3, (Turn((48_000,)),) * 3)
    calls = [Call(10, 9), Call(12, 9), Call(11, 9)]
    latency, outside = driver.figures_of(task, "wire", calls)
    assert (latency.measure, latency.x, latency.unit) == ("latency", 3, "ms")
    assert latency.spread.median == 11
    assert (outside.measure, outside.spread.median) == ("outside_compute", 2)
    assert len(driver.figures_of(task, "own", [Call(10)] * 3)) == 1


def test_figures_of_sustained_work_are_times_real_time_of_each_turn():
    task = Task("sustained", 8, (Turn((16_000, 32_000)), Turn((16_000,))))
    [figure] = driver.figures_of(task, "wire", [Call(1000), Call(500)])
    assert figure.unit == "x real time"
    assert (figure.spread.least, figure.spread.most) == (2, 3)


# ---- Contenders ----


class FakeEngine:
    def __init__(self):
        self.about = About("fake", "f32", 1)
        self.batches = []

    def embed(self, waveforms):
        self.batches.append([len(waveform) for waveform in waveforms])

    def gpu_peak_bytes(self):
        return None


@pytest.mark.parametrize(
    ("way", "batches"),
    [("alone", [[100], [200]]), ("queued", [[100], [200]]), ("together", [[100, 200]])],
)
def test_a_worker_takes_a_turn(way, batches):
    engine = FakeEngine()
    ticks = itertools.count(0, 0.5)
    turn = Turn((100, 200), way, warm_ups=1, calls=2)
    assert worker.take(engine, turn, lambda: next(ticks)) == [500, 500]
    assert engine.batches == batches * 3


def test_a_worker_answers_each_line():
    answers = io.StringIO()
    lines = ['{"turn": {"n_samples": [100], "calls": 2}}', '{"memory": true}']
    worker.obey(FakeEngine(), lines, answers)
    turn, memory = map(json.loads, answers.getvalue().splitlines())
    assert len(turn["ms"]) == 2
    assert memory == {"gpu_peak_bytes": None}


class FakeClient:
    """Answers each request once ``room`` of them wait, as far as there are that many."""

    def __init__(self, n_requests):
        self.health = {"device": {"runtime": "torch", "precision": "f32", "threads": 1}}
        self.waiting, self.most, self.left = [], 0, n_requests
        self.lock = threading.Lock()

    def send(self, params):
        future = Future()
        self.waiting.append(future)
        self.most = max(self.most, len(self.waiting))
        self.left -= 1
        if len(self.waiting) == 4 or self.left == 0:
            waiting, self.waiting = self.waiting, []
            for one in waiting:
                one.set_result({})
        return 1, future

    def call(self, params, timeout_s):
        if params.method == "embed_batch":
            return {"results": [{"result": {}}] * len(params.items)}
        return {"timings": {"compute_ms": 5.0}}


class FakeStart:
    hello_ms, ready_ms = 50.0, 500.0


def test_a_sidecar_is_asked_in_each_way():
    client = FakeClient(n_requests=10)
    sidecar = Sidecar("wire", client, FakeStart())
    [alone] = sidecar.take(Turn((100, 200)))
    assert alone.compute_ms == 10
    [together] = sidecar.take(Turn((100, 200), "together", warm_ups=2))
    assert together.compute_ms is None
    sidecar.take(Turn((100,) * 10, "queued", in_flight=4))
    assert client.most == 4
    assert client.waiting == []


# ---- Who is measured ----


def test_others_come_first_then_each_device_with_each_variant():
    asked = plan.Plan(
        "m",
        ("--model", "m"),
        threads=2,
        extent=Extent(),
        against=("speechbrain", "sherpa-onnx"),
        variants=((), ("--runtime", "openvino", "--precision=bf16")),
    )
    found = plan.entries(asked, ["cpu", "cuda:0"])
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
    asked = plan.Plan("m", (), threads=1, extent=QUICK, devices=("cuda:0",))
    assert not any(entry.is_optional for entry in plan.entries(asked, asked.devices))
    assert all(entry.is_optional for entry in plan.yardsticks(asked, asked.devices))


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
    with pytest.raises(argparse.ArgumentError):
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


def report():
    findings = Findings(health=HEALTH)
    findings.warnings.append("not measured: torch.mm, cuda:0: no torch")
    findings.flop = {1.0: 1_100_000_000, 3.0: 3_200_000_000}
    others = About("sherpa-onnx", "f32", 2, {"sherpa-onnx": "2.0"}, "other features", False)
    own = About("torch 2.14.1", "f32", 2)
    findings.members += [
        Member("sherpa-onnx, cpu", "sherpa-onnx", "cpu", others),
        Member("over the wire, cpu", "wire", "cpu", own),
        Member("in process, cpu", "own", "cpu", own),
        Member("over the wire, cuda:0", "wire", "cuda:0", own),
    ]
    for name, factor in (
        ("sherpa-onnx, cpu", 1),
        ("over the wire, cpu", 0.5),
        ("in process, cpu", 0.4),
        ("over the wire, cuda:0", 0.05),
    ):
        for seconds in (1.0, 3.0):
            times = [round(factor * seconds * ms, 3) for ms in (38, 40, 42)]
            findings.add("latency", seconds, name, "ms", times)
        findings.add("one_by_one", 8, name, "ms", [factor * 320])
        if "sherpa" not in name:
            findings.add("batch", 8, name, "ms", [factor * 200])
        findings.add("sustained", 64, name, "x real time", [25 / factor])
        findings.add("start_to_ready", 0, name, "ms", [1234.5])
        findings.add("rss_ready", 0, name, "bytes", [150e6])
    findings.add("outside_compute", 1.0, "over the wire, cpu", "ms", [0.71, 0.73, 0.75])
    findings.add("product_rate", 0, "torch.mm, cpu", "GFLOP/s", [80, 82, 84])
    findings.add("product_share", 1.0, "over the wire, cpu", "of 1", [0.67])
    return as_json(PLAN, findings, Load(3.2, 1.5))


EXPECTED_LATENCY = """\
one utterance, ms
  (median, and times as fast as the first row; below, the quartiles)
                                                       1 s          3 s
  sherpa-onnx, cpu                              40.0 1.00x    120 1.00x
                                                 39.0-41.0      117-123
  over the wire, cpu                            20.0 2.00x   60.0 2.00x
                                                 19.5-20.5    58.5-61.5
  in process, cpu                               16.0 2.50x   48.0 2.50x
                                                 15.6-16.4    46.8-49.2
  over the wire, cuda:0                         2.0 20.00x   6.0 20.00x
                                                   1.9-2.0      5.8-6.2
  over the wire, cpu: ms apart from computing         0.73            -
  over the wire, cpu: ms more than in process        +4.00       +12.00
"""


def test_the_tables_are_laid_out():
    text = "\n".join(table.in_words(report()))
    assert EXPECTED_LATENCY in text
    for line in (
        "CPU              Ryzen, 8 cores, AVX2",
        "GPU 0            RTX 4070",
        "versions         torch 2.14.1, sherpa-onnx 2.0",
        "other programs   load 3.2 before the run, 1.50 cores during it",
        "WARNING          the machine was busy: other programs used 1.5 cores during the run, "
        "of 8; all times are upper bounds",
        "WARNING          not measured: torch.mm, cuda:0: no torch",
        "  sherpa-onnx, cpu       sherpa-onnx, f32, 2 threads",
        "                         other features",
    ):
        assert line in text
    for line in text.splitlines():
        assert line == line.rstrip()
        assert line.isascii()


def test_a_gpu_is_compared_with_the_cpu():
    lines = table.in_words(report())
    [at] = [i for i, line in enumerate(lines) if line.startswith("GPU against CPU")]
    assert lines[at + 1].split() == ["1", "s", "3", "s", "batch", "of", "8"]
    # 8 s one by one on the CPU take 160 ms, and 10 ms together on the GPU.
    assert lines[at + 2].split()[-3:] == ["10.00x", "10.00x", "16.00x"]


def test_a_contender_without_batches_has_no_row_of_them():
    lines = table.in_words(report())
    [at] = [i for i, line in enumerate(lines) if line.startswith("utterances of 1 s, together")]
    assert "over the wire, cpu" in lines[at + 3]
    assert "1.00x" in lines[at + 3]


def test_the_report_is_json():
    found = json.loads(json.dumps(report()))
    assert found["threads"] == 2
    assert found["load"] == {"average_before": 3.2, "others_cores": 1.5}
    assert found["versions"] == {"torch": "2.14.1", "sherpa-onnx": "2.0"}
    assert found["contenders"][0]["about"]["remark"] == "other features"
    assert found["figures"][0] == {
        "measure": "latency",
        "x": 1.0,
        "contender": "sherpa-onnx, cpu",
        "unit": "ms",
        "median": 40.0,
        "lower_quartile": 39.0,
        "upper_quartile": 41.0,
        "least": 38.0,
        "most": 42.0,
        "n": 3,
    }


def test_the_picture_has_every_contender():
    found = report()
    assert latency_series(found)["in process, cpu"] == [(1.0, 16.0), (3.0, 48.0)]
    throughput = throughput_series(found)
    assert throughput["over the wire, cpu"] == [(8, 80.0)]
    assert throughput["sherpa-onnx, cpu"] == [(8, 25.0)]  # it takes them one by one
    assert set(throughput) == set(latency_series(found))


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / "out.svg"
    draw(report(), path)
    assert "<svg" in path.read_text("utf-8")
    with pytest.raises(ValueError, match="nope"):
        draw(report(), tmp_path / "out.nope")
