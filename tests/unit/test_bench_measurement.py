"""The bench's run with fakes for all that computes: its arithmetic, turns and report."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from sidecar.tools.bench import measurement
from sidecar.tools.bench.contenders import Contender
from sidecar.tools.bench.engines import About
from sidecar.tools.bench.plan import QUICK, Turn
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
ABOUT = {
    "runtime": "fake",
    "precision": "f32",
    "threads": 2,
    "versions": {"lib": "1"},
    "remark": "",
}


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


def test_contenders_alternate_with_a_pause_before_each_turn(monkeypatch):
    found = []

    def named(name):
        engine = SimpleNamespace(take=lambda turn: found.append((*turn.n_samples, name)) or [])
        return Contender(SimpleNamespace(name=name), None, {}, lambda action: action(engine))

    monkeypatch.setattr(measurement.time, "sleep", found.append)
    extent = SimpleNamespace(tasks=lambda: {("latency", 1): [Turn((n,)) for n in (1, 2, 3)]})
    progress = SimpleNamespace(show=lambda _: None)
    measurement.Run(extent, progress).measure_tasks([named("a"), named("b")], [])
    assert found[::2] == [0.25] * 6
    # Back and forth, so that what drifts favours nobody.
    assert found[1::2] == [(1, "a"), (1, "b"), (2, "b"), (2, "a"), (3, "a"), (3, "b")]


@pytest.mark.parametrize(
    ("kind", "key", "call", "values"),
    [
        (
            "wire",
            ("latency", 3),
            (11, 9),
            [("latency", 3, "ms", 11), ("outside_compute", 3, "ms", 2)],
        ),
        ("own", ("latency", 3), (11, 0), [("latency", 3, "ms", 11)]),
        ("wire", ("one_by_one", 2), (11, 9), [("one_by_one", 2, "ms", 11)]),
        ("wire", ("sustained", 8), (1000, 0), [("sustained", 8, "x real time", 3)]),
        ("own", ("new_lengths", 6), (500, 0), [("new_lengths", 6, "x real time", 6)]),
        ("product", ("latency", 3), (100, 0), [("product_rate", 0, "GFLOP/s", 171.79869184)]),
    ],
)
def test_the_values_of_a_call(kind, key, call, values):
    turn = Turn((16_000, 32_000))
    assert list(measurement.values_of(kind, key, turn, call)) == values


class FakeEngine:
    def __init__(self, entry):
        self.entry = entry

    def take(self, turn):
        ms = 1.0 if self.entry.kind == "product" else sum(turn.n_samples) / 16_000
        return [(ms, ms / 10 if self.entry.kind == "wire" else 0.0)] * turn.calls

    def memory(self):
        return {"rss": 5, "gpu": None}

    def count_flop(self, n_samples):
        return n_samples * 1000


@contextmanager
def opened(entry, _):
    if entry.device == "cuda:0":
        raise Refusal(f"{entry.name}: no GPU", 69)
    about = About(**ABOUT, takes_batches=entry.kind != "sherpa-onnx")
    yield Contender(entry, about, {"ready": 500.0}, lambda action: action(FakeEngine(entry)))


@contextmanager
def started(*_):
    yield SimpleNamespace(health=HEALTH), None


@pytest.fixture
def report_of(monkeypatch):
    """The report of a run, as JSON, in which other programs used so many cores."""
    monkeypatch.setattr(measurement, "opened", opened)
    monkeypatch.setattr(measurement, "started_sidecar", started)
    monkeypatch.setattr(measurement, "PAUSE_S", 0)

    def report_of(others_cores, *, device=None):
        monkeypatch.setattr(measurement, "others_cores", lambda *_: others_cores)
        base = {"model": "m", "models_dir": None, "threads": 2, "serve": []}
        asked = SimpleNamespace(**base, device=device, against=["sherpa-onnx"])
        progress = SimpleNamespace(show=lambda _: None, clear=lambda: None)
        return json.loads(json.dumps(measurement.measure(asked, QUICK, progress)))

    return report_of


def test_what_cannot_run_and_a_busy_machine_are_warned_of(report_of):
    *busy, no_wire, no_own = report_of(1.5)["warnings"]
    assert len(busy) == (os.name == "posix")  # elsewhere it is not known
    assert all("used 1.5 cores during the run, of 8" in warning for warning in busy)
    others = [no_wire, no_own]
    assert others == [
        "not measured: over the wire, cuda:0: no GPU",
        "not measured: in process, cuda:0: no GPU",
    ]
    assert report_of(0.5)["warnings"] == others


def test_what_was_named_must_run(report_of):
    with pytest.raises(Refusal, match="no GPU"):
        report_of(0, device=("cpu", "cuda:0"))


def test_all_is_measured_and_reported(report_of):
    told = report_of(1.5)
    names = ["sherpa-onnx, cpu", "over the wire, cpu", "in process, cpu"]
    assert list(told) == KEYS
    assert [one["name"] for one in told["contenders"]] == names
    assert list(told["contenders"][0]) == ["name", "kind", "device", "about"]
    assert told["contenders"][0]["about"] == ABOUT | {"takes_batches": False}
    assert set(told["load"]) == {"average_before", "others_cores"}
    assert told["load"]["others_cores"] == (1.5 if os.name == "posix" else None)
    assert told["versions"] == {"torch": "2.14.1", "lib": "1"}
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
    outside = figures["outside_compute", 3.0, "over the wire, cpu"]
    assert list(outside)[:4] == ["measure", "x", "contender", "unit"]
    assert list(outside)[4:] == list(measurement.spread([1]))
    assert outside["median"] == pytest.approx(2.7)
    assert outside["n"] == QUICK.rounds * QUICK.calls
    assert ("product_rate", 0, "torch.mm, cpu") in figures
