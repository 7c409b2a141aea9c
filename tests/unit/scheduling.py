"""What the tests of the scheduler do with one."""

from __future__ import annotations

from unit.decoded_audio import steps_of

from protocol.hello import Limits
from protocol.params import EmbedWindowsParams, PathAudio
from sidecar.requests.jobs import Job, Lane

LIMITS = Limits(
    max_frame_bytes=1000,
    max_in_flight=6,
    max_batch_items=4,
    max_queued_bytes=100,
    max_windows=5,
    max_segments=4,
)


def job(job_id, n_bytes=10, deadline_at=None):
    return Job(job_id, None, n_bytes, arrived_at=0.0, deadline_at=deadline_at)


def admit(scheduler, job_id, n_items=1, **kwargs):
    admitted = job(job_id, **kwargs)
    scheduler.admit(admitted, [f"audio {i}" for i in range(n_items)])
    return admitted


def decode(scheduler, n_samples=100, n_windows=1):
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    assert scheduler.decoded(source, steps_of(*[n_samples] * n_windows), 1.0) == []
    return source


def run_one(scheduler, outcome="embedding"):
    item = start(scheduler, 2.0)
    return item, scheduler.completed([item], [outcome], 3.0)


def start(scheduler, now):
    [item], late = scheduler.next_batch(now)
    assert late == []
    return item


WINDOWS = EmbedWindowsParams(PathAudio("/a.wav"), window_s=1.0, hop_s=1.0)


def admit_windows(scheduler):
    scheduler.admit(Job("long", WINDOWS, 10, arrived_at=0.0), [WINDOWS.audio])
