from __future__ import annotations

from dataclasses import replace

import pytest
from unit.decoded_audio import steps_of

from protocol.diarization import DiarizeParams
from protocol.errors import BadAudio
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    PathAudio,
)
from protocol.reports import RequestProgress
from sidecar.audio.waveform import Decoded, Part, Waveform
from sidecar.config import DEFAULT_LIMITS
from sidecar.diarization.heard_chunks import HeardActivity
from sidecar.requests.jobs import Job, Lane
from sidecar.requests.progress import INTERVAL_S, progress_due
from sidecar.requests.scheduler import Scheduler

AUDIO = PathAudio("/a.wav")
WINDOWS = EmbedWindowsParams(AUDIO, 1.0, 1.0, progress=True)
SEGMENTS = EmbedSegmentsParams(AUDIO, ((0.0, 1.0),) * 4, progress=True)
BATCH = EmbedBatchParams((AUDIO,) * 3, progress=True)


@pytest.fixture
def scheduler():
    return Scheduler(DEFAULT_LIMITS)


def admit(scheduler, params, n_audios=1):
    job = Job(7, params, 10, arrived_at=10.0)
    scheduler.admit(job, [AUDIO] * n_audios)
    return job


def run(scheduler, n_items):
    for _ in range(n_items):
        batch, _ = scheduler.next_batch(11.0)
        scheduler.completed(batch, ["embedding"] * len(batch), 11.0)


def test_windows_are_counted_as_the_header_says_until_the_end(scheduler):
    job = admit(scheduler, WINDOWS)
    assert progress_due(job, 11.0) == RequestProgress(7, 0, None, "windows")
    source = scheduler.next_undecoded(Lane.FILES, 11.0)
    scheduler.decoded(source, [*steps_of(100, is_last=False), Decoded(None, 0, 5)], 11.0)
    assert progress_due(job, 12.0) == RequestProgress(7, 0, 5, "windows")
    run(scheduler, 1)
    scheduler.next_undecoded(Lane.FILES, 12.0)
    scheduler.decoded(source, steps_of(100, 100, first=1), 12.0)
    assert progress_due(job, 13.0) == RequestProgress(7, 1, 3, "windows")


def test_segments_that_failed_are_done_too(scheduler):
    job = admit(scheduler, SEGMENTS)
    source = scheduler.next_undecoded(Lane.FILES, 11.0)
    scheduler.decoded(source, [Decoded(Part(3, BadAudio("no"))), *steps_of(100, 100)], 11.0)
    run(scheduler, 1)
    assert progress_due(job, 12.0) == RequestProgress(7, 2, 4, "segments")


def test_audios_of_a_batch_that_failed_are_done_too(scheduler):
    job = admit(scheduler, BATCH, 3)
    scheduler.failed(scheduler.next_undecoded(Lane.FILES, 11.0), BadAudio("no"))
    scheduler.decoded(scheduler.next_undecoded(Lane.FILES, 11.0), steps_of(100), 11.0)
    assert progress_due(job, 12.0) == RequestProgress(7, 1, 3, "audios")
    run(scheduler, 1)
    assert progress_due(job, 13.0) == RequestProgress(7, 2, 3, "audios")


def test_a_recording_is_done_up_to_the_first_voice_that_is_not_embedded(scheduler):
    job = admit(scheduler, DiarizeParams(AUDIO, progress=True))
    assert progress_due(job, 11.0) == RequestProgress(7, 0, None, "seconds")
    source = scheduler.next_undecoded(Lane.FILES, 11.0)
    heard = HeardActivity(n_samples=25 * 16_000)
    steps = [
        Decoded(Part(n, Waveform(range(100), start)), duration_s=59.2, activity=heard)
        for n, start in enumerate((0, 32_000, 64_000))
    ]
    scheduler.decoded(source, steps, 11.0)
    assert progress_due(job, 12.0) == RequestProgress(7, 0, 60, "seconds")
    run(scheduler, 2)
    assert progress_due(job, 13.0) == RequestProgress(7, 4, 60, "seconds")
    run(scheduler, 1)
    assert progress_due(job, 14.0) == RequestProgress(7, 25, 60, "seconds")
    # The next chunk begins before the end of the one before.
    source = scheduler.next_undecoded(Lane.FILES, 14.0)
    step = replace(steps[0], part=Part(3, Waveform(range(100), 20 * 16_000)))
    scheduler.decoded(source, [step], 14.0)
    assert progress_due(job, 15.0) == RequestProgress(7, 25, 60, "seconds")


def test_it_is_told_now_and_then(scheduler):
    job = admit(scheduler, WINDOWS)
    assert progress_due(job, 10.0 + 0.9 * INTERVAL_S) is None
    assert progress_due(job, 10.0 + INTERVAL_S) is not None
    assert progress_due(job, 10.0 + 1.9 * INTERVAL_S) is None
    assert progress_due(job, 10.0 + 2 * INTERVAL_S) is not None


@pytest.mark.parametrize("params", [EmbedWindowsParams(AUDIO, 1.0, 1.0), EmbedParams(AUDIO), None])
def test_nobody_is_told_who_does_not_ask(scheduler, params):
    assert progress_due(admit(scheduler, params), 99.0) is None


def test_nothing_is_told_of_what_was_answered(scheduler):
    job = admit(scheduler, WINDOWS)
    scheduler.cancel(7)
    assert progress_due(job, 99.0) is None
