"""What the bench measures, and whom: tasks, turns and entries."""

from __future__ import annotations

import itertools
import threading
from argparse import Namespace

import numpy as np

from sidecar.tools.bench import plan
from sidecar.tools.bench.plan import Extent, Turn, entries_of, entry_of


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
    assert (alone.together, together.together) == (False, True)


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
    assert not any(turn.together for turn in turns)
    assert min(turns[0].n_samples) == 16_000
    assert max(turns[0].n_samples) == 160_000
    assert len({tuple(sorted(turn.n_samples)) for turn in turns}) == 1


def test_every_process_makes_the_same_utterance():
    samples = plan.utterance(1600)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1
    assert (samples == plan.utterance(1600)).all()


def test_warm_ups_are_not_timed(monkeypatch):
    monkeypatch.setattr(plan.time, "perf_counter", itertools.count(0, 0.5).__next__)
    computed = iter([9.0, 1.0, 2.0])
    calls = Turn((100,), warm_ups=1, calls=2).timed(lambda _: next(computed))
    assert calls == [(500, 1.0), (500, 2.0)]


def test_what_was_computed_is_added_up_where_it_is_known():
    [(_, alone)] = Turn((100, 200)).timed(lambda waveforms: 5.0 * len(waveforms))
    [(_, together)] = Turn((100, 200), together=True).timed(len)
    [(_, unknown)] = Turn((100, 200)).timed(lambda _: None)
    assert (alone, together, unknown) == (10, 2, 0)


def test_as_many_utterances_are_sent_at_once_as_may_be_in_flight():
    four = threading.Barrier(4)
    [(_, waited)] = Turn((100,) * 12, in_flight=4).timed(lambda _: four.wait(10) >= 0)
    assert waited == 12


def options(**given):
    default = {"model": "m", "models_dir": None, "threads": 2, "device": None}
    return Namespace(**{**default, "against": [], "serve": [], **given})


def test_others_come_first_then_each_device_with_each_variant():
    asked = options(
        against=["speechbrain", "sherpa-onnx", "speechbrain"],
        serve=[["--runtime", "openvino", "--precision=bf16"]],
        models_dir="models",
    )
    found = entries_of(asked, ["cpu", "cuda:0"])
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
    given = "--model=m --threads=2 --models-dir=models --device=cpu --runtime openvino"
    assert found[5].serve_options == (*given.split(), "--precision=bf16")
    assert {entry.device for entry in found if entry.is_optional} == {"cuda:0"}


def test_a_device_that_was_named_must_run():
    asked = options(device=("cuda:0",))
    assert not any(entry.is_optional for entry in entries_of(asked, asked.device))
    assert entry_of(asked, "product", "cuda:0").is_optional
