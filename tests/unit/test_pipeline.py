from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections import Counter

import pytest
from unit.decoded_audio import outcomes_of, steps_of
from unit.staged_pipeline import LIMITS, PATIENCE_S, Stages, finish, run

from protocol.errors import BadAudio, DeadlineExceeded, DeviceError, InternalError, OutOfMemory
from sidecar.config import DEFAULT_LIMITS
from sidecar.requests.jobs import Job
from sidecar.requests.pipeline import Pipeline
from sidecar.requests.scheduler import Scheduler


def test_what_queued_together_runs_together():
    pipeline, stages = run(audios=[100] * 10)
    finish(pipeline)
    assert stages.answers == {n: ["embedding of 100"] for n in range(10)}
    assert pipeline.meter.n_embeddings == 10
    assert max(pipeline.meter.batch_sizes) > 1
    assert max(pipeline.meter.batch_sizes) <= LIMITS.max_items


def test_what_does_not_fit_into_memory_runs_in_halves():
    pipeline, stages = run(audios=[100] * 8, fits=250)
    finish(pipeline)
    assert stages.answers == {n: ["embedding of 100"] for n in range(8)}
    assert max(pipeline.meter.batch_sizes) <= 2
    assert pipeline.meter.n_embeddings == 8
    sizes = Counter(len(call) for call in stages.calls)
    assert sizes[8] <= 1, "what did not fit was tried again as it was"


def test_only_what_does_not_fit_alone_is_refused():
    pipeline, stages = run(audios=[100, 100, 300, 100], fits=250)
    finish(pipeline)
    refused = stages.answers.pop(2)
    assert isinstance(refused[0], OutOfMemory)
    assert stages.answers == {n: ["embedding of 100"] for n in (0, 1, 3)}


def test_one_that_expires_while_another_half_runs_is_left_out():
    now = 0.0

    class Slow(Stages):
        def embed(self, waveforms):
            nonlocal now
            if len(waveforms) == 1:
                now = 6.0
                pipeline.tick()
            return super().embed(waveforms)

    scheduler = Scheduler(DEFAULT_LIMITS)
    stages = Slow(scheduler, 2, fits=150)
    pipeline = Pipeline(scheduler, stages, stages, stages, stages, clock=lambda: now)
    for number, deadline_at in enumerate([None, 5.0]):
        pipeline.admit(Job(number, None, 1, 0.0, deadline_at), [100], retry_after_ms=1)
    pipeline.start()
    finish(pipeline)
    assert stages.answers[0] == ["embedding of 100"]
    assert isinstance(stages.answers[1][0], DeadlineExceeded)
    assert stages.calls in ([(100,)], [(100, 100), (100,)])


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def run_with_deadlines(stages_type, deadlines, **options):
    scheduler, clock = Scheduler(DEFAULT_LIMITS), Clock()
    stages = stages_type(scheduler, len(deadlines), **options)
    pipeline = Pipeline(scheduler, stages, stages, stages, stages, clock)
    for number, deadline_at in enumerate(deadlines):
        pipeline.admit(Job(number, None, 1, 0.0, deadline_at), [100], retry_after_ms=1)
    return pipeline, stages, clock


def test_a_deadline_that_passes_as_its_batch_starts_harms_nobody():
    pipeline, stages, clock = run_with_deadlines(Stages, [5.0, None])
    call_starts = pipeline.meter.call_starts

    def late(now, padded_s):
        clock.now = 6.0
        pipeline.tick()
        call_starts(now, padded_s)

    pipeline.meter.call_starts = late
    pipeline.start()
    finish(pipeline)
    assert isinstance(stages.answers[0][0], DeadlineExceeded)
    assert stages.answers[1] == ["embedding of 100"]
    assert stages.error is None


def test_a_call_has_ended_also_if_nobody_is_left_to_run_in_halves():
    class Slow(Stages):
        def embed(self, waveforms):
            clock.now = 6.0
            pipeline.tick()
            return super().embed(waveforms)

    pipeline, stages, clock = run_with_deadlines(Slow, [5.0, 5.0], fits=150)
    pipeline.start()
    finish(pipeline)
    assert all(isinstance(answer[0], DeadlineExceeded) for answer in stages.answers.values())
    assert pipeline.meter.call_started_at is None


def test_it_rests_once_after_a_while_without_work(monkeypatch):
    monkeypatch.setattr("sidecar.requests.pipeline.REST_AFTER_S", 0.001)
    rested = threading.Semaphore(0)

    class Resting(Stages):
        def rest(self):
            assert not self.scheduler.n_in_flight
            rested.release()

    pipeline, stages = run(Resting)
    assert rested.acquire(timeout=PATIENCE_S)
    assert not rested.acquire(timeout=0.05), "it rested already"
    pipeline.admit(Job("next", None, 1, 0.0), [100], retry_after_ms=1)
    assert rested.acquire(timeout=PATIENCE_S)
    finish(pipeline)
    assert stages.answers["next"] == ["embedding of 100"]


def test_too_few_outcomes_lose_no_request():
    class Forgetful(Stages):
        def embed(self, waveforms):
            return super().embed(waveforms)[1:]

    pipeline, stages = run(Forgetful, audios=[100] * 3)
    assert stages.ended.wait(PATIENCE_S)
    assert isinstance(stages.error, InternalError)
    pipeline.fail_all(stages.error)
    assert list(stages.answers) == [0, 1, 2]
    pipeline.stop(PATIENCE_S)


def test_a_sleeping_machine_has_no_hung_decoder():
    held = threading.Event()

    class Slow(Stages):
        def open(self, on_progress, should_stop):
            return self

        def decode(self, audio, params, is_given_up):
            self.undecoded.release()
            assert held.wait(PATIENCE_S)
            yield from steps_of(audio)

    pipeline, stages, clock = run_with_deadlines(Slow, [None])
    pipeline.start()
    assert stages.undecoded.acquire(timeout=PATIENCE_S)
    clock.now = 1000.0
    pipeline.slept(1000.0)
    pipeline.tick()
    held.set()
    finish(pipeline)
    assert stages.answers[0] == ["embedding of 100"]


@pytest.mark.parametrize(
    ("stage", "fault", "told"),
    [
        ("embed", DeviceError("the card is gone"), DeviceError),
        ("embed", ZeroDivisionError("a bug"), InternalError),
        ("embed", SystemExit(3), InternalError),
        ("decode", SystemExit(3), InternalError),
        ("open", KeyboardInterrupt(), InternalError),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_no_thread_dies_in_silence(stage, fault, told, caplog):
    caplog.set_level(logging.CRITICAL)

    class Faulty(Stages):
        pass

    def fail(*_):
        raise fault

    setattr(Faulty, stage, fail)
    if stage == "decode":
        Faulty.open = lambda self, *_: self
    pipeline, stages = run(Faulty)
    assert stages.ended.wait(PATIENCE_S)
    assert type(stages.error) is told
    assert not stages.answers
    pipeline.fail_all(stages.error)
    assert list(stages.answers) == [0]
    pipeline.stop(PATIENCE_S)


def test_a_bug_while_decoding_costs_one_request():
    class Faulty(Stages):
        def decode(self, audio, params, is_given_up):
            if audio == 13:
                self.undecoded.release()
                raise ZeroDivisionError("a bug")
            yield from super().decode(audio, params, is_given_up)

    pipeline, stages = run(Faulty, audios=[100, 13, 100])
    finish(pipeline)
    assert isinstance(stages.answers[1][0], InternalError)
    assert stages.answers[0] == stages.answers[2] == ["embedding of 100"]
    assert stages.error is None


def test_nothing_of_a_request_outlives_its_answer():
    """Audio must not wait for the collector of cycles, which comes late where much lives long."""

    class Audio:
        def __init__(self, kind):
            self.kind = kind

    class Forgetful(Stages):
        def decode(self, audio, params, is_given_up):
            self.undecoded.release()
            if audio.kind == "bad":
                try:
                    int("no number")
                except ValueError as error:
                    raise BadAudio("no audio") from error
            yield from steps_of(*[100] * (3 if audio.kind == "windows" else 1))

        def finish(self, job):
            self.answers[job.id] = len(outcomes_of(job))

    kinds = ["good", "bad", "windows", "late", "good"]
    audios = [Audio(kind) for kind in kinds]
    gc.disable()
    try:
        scheduler = Scheduler(DEFAULT_LIMITS)
        stages = Forgetful(scheduler, len(audios))
        pipeline = Pipeline(scheduler, stages, stages, stages, stages)
        for number, audio in enumerate(audios):
            deadline_at = 0.0 if audio.kind == "late" else None
            job = Job(number, audio, 1, 0.0, deadline_at)
            pipeline.admit(job, [audio], retry_after_ms=1)
        alive = [weakref.ref(audio) for audio in audios]
        del audios, audio, job
        pipeline.start()
        assert pipeline.wait_until_idle(PATIENCE_S)
        # While the threads wait for more, not only once they ended.
        until = time.perf_counter() + PATIENCE_S
        while any(audio() for audio in alive) and time.perf_counter() < until:
            threading.Event().wait(0.001)
        assert stages.answers == {0: 1, 1: 1, 2: 3, 3: 1, 4: 1}
        outliving = [kind for kind, audio in zip(kinds, alive, strict=True) if audio() is not None]
        assert outliving == []
        pipeline.stop(PATIENCE_S)
    finally:
        gc.enable()
