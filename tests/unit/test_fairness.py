"""Live work and long work, files and samples: who comes when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.decoded_audio import steps_of
from unit.scheduling import LIMITS, WINDOWS, admit, admit_windows, decode, job, run_one

from protocol.errors import InvalidParams
from protocol.params import EmbedSegmentsParams, PathAudio, PcmAudio
from sidecar.diarization.streaming import StreamStep
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Job, Lane
from sidecar.requests.scheduler import Scheduler


def test_live_work_waits_for_one_call_of_long_work_and_long_work_goes_on():
    scheduler = Scheduler(LIMITS)
    admit_windows(scheduler)
    decode(scheduler, n_windows=4)
    for n in range(4):
        admit(scheduler, n)
        decode(scheduler)
    served = []
    while item := scheduler.next_batch(2.0)[0]:
        served.append(item[0].job.id)
        scheduler.completed(item, ["embedding"], 3.0)
    assert served == [0, 1, 2, "long", 3, "long", "long", "long"]


def test_live_work_is_decoded_however_much_of_long_work_is():
    scheduler = Scheduler(LIMITS, max_decoded_bytes=400)
    admit_windows(scheduler)
    decode(scheduler, n_windows=4)
    admit(scheduler, "more", n_items=3)
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is None
    admit(scheduler, "live")
    assert scheduler.next_undecoded(Lane.FILES, 0.0).job.id == "live"


def test_long_work_is_decoded_although_live_work_keeps_coming():
    scheduler = Scheduler(LIMITS)
    admit(scheduler, "long", n_items=3)
    decoded = []
    for n in range(6):
        admit(scheduler, n)
        decoded.append(decode(scheduler).job.id)
        run_one(scheduler)
    assert decoded == [0, 1, 2, "long", 3, 4]


def test_samples_have_a_lane_of_their_own():
    """However long the files are that wait, and however much of them is decoded already."""
    scheduler = Scheduler(LIMITS, max_decoded_bytes=400)
    for job_id in (1, 2):
        admit(scheduler, job_id)
    decode(scheduler, n_samples=100)
    assert scheduler.next_undecoded(Lane.FILES, 0.0) is None
    samples = PcmAudio(bytes(64), "f32le", 16_000, 1)
    scheduler.admit(job(3), [samples])
    assert scheduler.next_undecoded(Lane.SAMPLES, 0.0).audio is samples


def test_requests_of_long_work_take_turns_at_the_device():
    scheduler = Scheduler(LIMITS)
    for job_id in ("one", "other"):
        scheduler.admit(Job(job_id, WINDOWS, 10, arrived_at=0.0), [WINDOWS.audio])
        decode(scheduler, n_windows=3)
    served = [run_one(scheduler)[0].job.id for _ in range(6)]
    assert served == ["one", "other"] * 3


def test_calls_of_long_work_are_short_while_live_work_comes():
    """Since who has just been answered may soon be back, and would wait for it."""
    scheduler = Scheduler(LIMITS)
    scheduler.batch_limits = BatchLimits(max_items=4, max_padded_samples=800, min_likeness=1.0)
    admit_windows(scheduler)
    decode(scheduler, n_windows=9)
    admit(scheduler, "live")
    decode(scheduler)
    served = []
    for now in (2.0, 2.1, 2.9, 3.1, 3.2):
        batch, _ = scheduler.next_batch(now)
        served.append([item.job.id for item in batch])
        scheduler.completed(batch, ["embedding"] * len(batch), now)
    assert served == [["live"], ["long"] * 2, ["long"] * 2, ["long"] * 4, ["long"]]


SEGMENTS = EmbedSegmentsParams(PathAudio("/a.wav"), segments=((0.0, 1.0),) * 4)


def test_segments_are_bounded_and_long_work():
    scheduler = Scheduler(LIMITS)
    job_of_them = Job(1, SEGMENTS, 10, arrived_at=0.0)
    scheduler.admit(job_of_them, [SEGMENTS.audio])
    assert not job_of_them.is_live
    assert scheduler.n_in_flight == 1
    too_many = replace(SEGMENTS, segments=((0.0, 1.0),) * 5)
    with pytest.raises(InvalidParams, match=r"5 segments are too many .* the limit is 4") as caught:
        scheduler.admit(Job(2, too_many, 10, arrived_at=0.0), [SEGMENTS.audio])
    assert caught.value.details["max_segments"] == 4


def test_a_request_waits_for_one_call_of_streams_and_streams_go_on():
    scheduler = Scheduler(LIMITS)
    step = Job(-1, StreamStep(None), 0, arrived_at=0.0)
    scheduler.admit(step, [PcmAudio(b"", "f32le", 16_000, 1)])
    source = scheduler.next_undecoded(Lane.STREAMS, 0.0)
    scheduler.decoded(source, steps_of(*[100] * 4), 1.0)
    for n in range(3):
        admit(scheduler, n)
        decode(scheduler)
    served = []
    while item := scheduler.next_batch(2.0)[0]:
        served.append(item[0].job.id)
        scheduler.completed(item, ["embedding"], 3.0)
    assert served == [0, -1, 1, -1, 2, -1, -1]
