from __future__ import annotations

import pytest
from unit.decoded_audio import outcomes_of, steps_of
from unit.scheduling import LIMITS, WINDOWS, admit, decode, run_one, start

from protocol.diarization import DiarizeParams
from protocol.errors import (
    BadAudio,
    Cancelled,
    DeadlineExceeded,
    DeviceError,
    Draining,
    InvalidParams,
    Overloaded,
)
from sidecar.audio.waveform import Decoded, Part
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Job, Lane
from sidecar.requests.scheduler import Scheduler


def test_a_job_goes_through_the_stages_once():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    assert (scheduler.n_in_flight, scheduler.n_queued, scheduler.queued_bytes) == (1, 1, 10)
    decode(scheduler)
    item, finished = run_one(scheduler)
    assert finished == [admitted]
    assert item.outcome == "embedding"
    assert (item.decode_s, item.run_started_at, item.run_ended_at) == (1.0, 2.0, 3.0)
    assert scheduler.is_idle
    assert (scheduler.n_in_flight, scheduler.n_queued, scheduler.queued_bytes) == (0, 0, 0)


def test_first_come_first_served():
    scheduler = Scheduler(LIMITS)
    for job_id in (1, 2, 3):
        admit(scheduler, job_id)
    for _ in range(3):
        decode(scheduler)
    assert [run_one(scheduler)[1][0].id for _ in range(3)] == [1, 2, 3]


def test_a_job_is_finished_by_its_last_item():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1, n_items=3)
    decode(scheduler)
    failed = scheduler.next_undecoded(Lane.FILES, 0.0)
    assert scheduler.failed(failed, BadAudio("bad")) == []
    decode(scheduler)
    assert run_one(scheduler, "first")[1] == []
    assert run_one(scheduler, "third")[1] == [admitted]
    outcomes = outcomes_of(admitted)
    assert outcomes[::2] == ["first", "third"]
    assert isinstance(outcomes[1], BadAudio)


def test_an_audio_is_embedded_while_it_is_decoded():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, steps_of(100, 100, is_last=False), 1.0)
    assert [run_one(scheduler)[1] for _ in range(2)] == [[], []]
    assert scheduler.next_undecoded(Lane.FILES, 2.0) is source
    scheduler.decoded(source, steps_of(100, first=2), 5.0)
    assert [item.start_sample for item in admitted.items] == [0, 1, 2]
    assert [item.decode_s for item in admitted.items] == [1.0, 1.0, 4.0]
    assert run_one(scheduler)[1] == [admitted]


def test_a_job_may_be_finished_by_the_end_of_its_audio():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, steps_of(100, is_last=False), 1.0)
    run_one(scheduler)
    scheduler.next_undecoded(Lane.FILES, 2.0)
    assert scheduler.decoded(source, [Decoded(None, is_last=True)], 2.0) == [admitted]


def test_what_was_cut_before_a_fault_is_embedded():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, steps_of(100, is_last=False), 1.0)
    assert scheduler.failed(source, BadAudio("corrupt")) == []
    assert run_one(scheduler)[1] == [admitted]
    assert outcomes_of(admitted) == ["embedding", source.error]


@pytest.mark.parametrize("params", [WINDOWS, DiarizeParams(WINDOWS.audio)])
def test_windows_of_an_audio_that_fails_are_not_embedded_any_more(params):
    scheduler = Scheduler(LIMITS)
    admitted = Job("long", params, 10, arrived_at=0.0)
    scheduler.admit(admitted, [WINDOWS.audio])
    assert not admitted.is_live
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, steps_of(100, 100, 100, is_last=False), 1.0)
    running = start(scheduler, 1.0)
    assert scheduler.failed(source, BadAudio("truncated")) == []
    assert scheduler.next_batch(2.0) == ([], [])
    [job_of_them] = scheduler.completed([running], ["embedding"], 3.0)
    assert [str(outcome) for outcome in outcomes_of(job_of_them)][1:] == ["truncated"] * 3


def test_a_part_that_cannot_be_used_needs_no_device():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    refused = BadAudio("too short")
    scheduler.decoded(source, [Decoded(Part(1, refused)), *steps_of(100)], 1.0)
    assert scheduler.n_queued == 1
    assert run_one(scheduler)[1] == [admitted]
    assert outcomes_of(admitted) == [refused, "embedding"]


def test_audios_take_turns_at_a_decoder():
    scheduler = Scheduler(LIMITS)
    sources = []
    for job_id in (1, 2):
        admit(scheduler, job_id)
    for _ in range(4):
        source = scheduler.next_undecoded(Lane.FILES, 0.0)
        scheduler.decoded(source, [Decoded(None, 10)], 1.0)
        sources.append(source.number)
    assert sources == [0, 1, 0, 1]


def test_windows_take_no_one_elses_place():
    scheduler = Scheduler(LIMITS)
    admit(scheduler, 1)
    decode(scheduler, n_windows=LIMITS.max_windows)
    assert (scheduler.n_in_flight, scheduler.n_queued) == (1, LIMITS.max_windows)
    admit(scheduler, 2, n_items=4)
    assert scheduler.n_in_flight == 5


def test_admission_is_all_or_nothing():
    scheduler = Scheduler(LIMITS)
    admit(scheduler, 1, n_items=4)
    with pytest.raises(Overloaded, match="over the limit of 6 of 100;") as caught:
        admit(scheduler, 2, n_items=3)
    assert caught.value.retryable
    assert caught.value.details["max_in_flight"] == 6
    assert (scheduler.n_in_flight, scheduler.n_queued) == (4, 4)
    admit(scheduler, 2, n_items=2)
    assert scheduler.n_in_flight == 6


def test_bytes_are_bounded_too_and_given_back():
    scheduler = Scheduler(LIMITS)
    admit(scheduler, 1, n_bytes=90)
    with pytest.raises(Overloaded):
        admit(scheduler, 2, n_bytes=11)
    decode(scheduler)
    run_one(scheduler)
    admit(scheduler, 2, n_bytes=100)


def test_what_can_never_fit_is_told_so():
    with pytest.raises(InvalidParams, match="the limit is 4") as caught:
        admit(Scheduler(LIMITS), 1, n_items=5)
    assert caught.value.kind == "batch_too_large"


def test_draining_admits_nothing_and_finishes_the_rest():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    scheduler.drain()
    with pytest.raises(Draining):
        admit(scheduler, 2)
    decode(scheduler)
    assert run_one(scheduler)[1] == [admitted]


def test_decoding_pauses_while_enough_is_ready():
    scheduler = Scheduler(LIMITS, max_decoded_bytes=400)
    for job_id in (1, 2):
        admit(scheduler, job_id)
    decode(scheduler, n_samples=100)
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is None
    run_one(scheduler)
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is not None


def test_what_is_held_while_it_is_decoded_counts_too():
    scheduler = Scheduler(LIMITS, max_decoded_bytes=400)
    admit(scheduler, 1)
    admit(scheduler, 2)
    first = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(first, [Decoded(None, 400)], 1.0)
    first.steps = endless()
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is first, "no other is begun"
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is None, "what is decoded makes room"
    scheduler.decoded(first, steps_of(100), 1.0)
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is None
    run_one(scheduler)
    assert scheduler.next_undecoded(Lane.FILES, 0.0).number == 1


def endless():
    while True:
        yield Decoded(None)


STAGES = ["not begun", "being decoded", "begun", "decoded", "being embedded too"]


@pytest.mark.parametrize("stage", STAGES)
def test_what_waits_is_cancelled_at_once_in_every_stage(stage):
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    source = None if stage == "not begun" else scheduler.next_undecoded(Lane.FILES, 0.0)
    if stage in ("begun", "being embedded too"):
        source.steps = steps = endless()
        next(steps)
        scheduler.decoded(source, steps_of(10, is_last=False, held_bytes=40), 1.0)
    if stage == "decoded":
        scheduler.decoded(source, steps_of(10), 1.0)
    running = scheduler.next_batch(1.0)[0] if stage == "being embedded too" else []
    finished = scheduler.cancel(1) + scheduler.completed(running, ["embedding"] * len(running), 2.0)
    assert finished == [admitted]
    assert any(isinstance(outcome, Cancelled) for outcome in outcomes_of(admitted))
    assert scheduler.is_idle
    assert scheduler.next_batch(2.0) == ([], [])
    if stage == "being decoded":  # a decoder that comes back later changes nothing
        assert scheduler.decoded(source, steps_of(10), 1.0) == []
        assert scheduler.failed(source, BadAudio("late")) == []
    if stage in ("begun", "being embedded too"):
        assert next(steps, "closed") == "closed"
    assert (scheduler.n_queued, scheduler.n_in_flight) == (0, 0)
    admit(scheduler, 2)
    assert decode(scheduler).job.id == 2


def test_what_runs_may_finish_although_cancelled():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    decode(scheduler)
    item = start(scheduler, 2.0)
    assert scheduler.cancel(1) == []
    assert scheduler.completed([item], ["embedding"], 3.0) == [admitted]
    assert item.outcome == "embedding"


def test_cancelling_what_is_not_in_flight_does_nothing():
    assert Scheduler(LIMITS).cancel("never") == []


def test_a_deadline_ends_what_waits_and_what_runs():
    scheduler = Scheduler(LIMITS)
    early = admit(scheduler, 1, deadline_at=5.0)
    late = admit(scheduler, 2, deadline_at=9.0)
    admit(scheduler, 3)
    assert scheduler.next_deadline() == 5.0
    decode(scheduler)
    running = start(scheduler, 1.0)
    assert scheduler.expire(4.9) == []
    assert scheduler.expire(5.0) == [early]
    assert isinstance(running.outcome, DeadlineExceeded)
    assert scheduler.completed([running], ["too late"], 6.0) == []
    assert scheduler.expire(100.0) == [late]
    assert scheduler.n_in_flight == 1


def test_giving_up_what_waits_leaves_what_runs():
    scheduler = Scheduler(LIMITS)
    running, waiting = admit(scheduler, 1), admit(scheduler, 2)
    decode(scheduler)
    item = start(scheduler, 1.0)
    assert scheduler.fail_waiting(Cancelled("the end")) == [waiting]
    assert scheduler.fail_all(DeviceError("broken")) == [running]
    assert isinstance(item.outcome, DeviceError)
    assert scheduler.is_idle


def test_one_whose_deadline_passed_while_it_waited_is_not_run():
    scheduler = Scheduler(LIMITS)
    late, next_one = admit(scheduler, 1, deadline_at=5.0), admit(scheduler, 2)
    for _ in range(2):
        decode(scheduler)
    [item], given_up = scheduler.next_batch(5.0)
    assert given_up == [late]
    assert item.job is next_one


def test_items_of_several_requests_run_together_and_know_it():
    scheduler = Scheduler(LIMITS)
    scheduler.batch_limits = BatchLimits(max_items=3, max_padded_samples=1000, min_likeness=0.5)
    one, several = admit(scheduler, 1), admit(scheduler, 2, n_items=2)
    third = admit(scheduler, 3)
    for _ in range(4):
        decode(scheduler)
    batch, _ = scheduler.next_batch(2.0)
    assert [item.job.id for item in batch] == [1, 2, 2]
    assert scheduler.completed(batch, ["a", "b", "c"], 3.0) == [one, several]
    assert {item.batch_size for item in batch} == {3}
    last = start(scheduler, 4.0)
    assert scheduler.completed([last], ["d"], 5.0) == [third]
    assert outcomes_of(several) == ["b", "c"]


def test_whoever_came_first_runs_first_even_if_decoded_later():
    scheduler = Scheduler(LIMITS)
    for job_id in (1, 2):
        admit(scheduler, job_id)
    first, second = (
        scheduler.next_undecoded(Lane.FILES, 0.0),
        scheduler.next_undecoded(Lane.FILES, 0.0),
    )
    for source in (second, first):
        scheduler.decoded(source, steps_of(100), 1.0)
    assert start(scheduler, 2.0).job.id == 1


def test_how_long_the_longest_wait_is():
    scheduler = Scheduler(LIMITS)
    assert scheduler.oldest_queued() is None
    for job_id, arrived_at in ((1, 3.0), (2, 7.0)):
        scheduler.admit(Job(job_id, None, 10, arrived_at), ["audio"])
    assert scheduler.oldest_queued() == 3.0
    decode(scheduler)
    assert scheduler.oldest_queued() == 3.0
    start(scheduler, 8.0)
    assert scheduler.oldest_queued() == 7.0
