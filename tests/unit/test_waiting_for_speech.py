"""Audios that are listened to beside their embedding, and what they wait for first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.decoded_audio import outcomes_of, steps_of
from unit.scheduling import LIMITS, admit, run_one, start

from protocol.errors import Cancelled, DeadlineExceeded
from protocol.quality import Quality
from sidecar.audio.waveform import Decoded
from sidecar.requests.jobs import Lane
from sidecar.requests.scheduler import Scheduler


def test_what_waits_for_something_else_waits_aside():
    scheduler, is_there = Scheduler(LIMITS), False
    first, second = (admit(scheduler, job_id) for job_id in (1, 2))
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, [Decoded(None, until=lambda: is_there)], 1.0)
    assert scheduler.next_undecoded(Lane.FILES, 1.0) is second.sources[0]
    assert scheduler.next_undecoded(Lane.FILES, 1.0) is None
    assert not scheduler.has_undecoded(Lane.FILES)
    assert scheduler.n_queued == 1
    assert scheduler.oldest_queued() == 0.0
    scheduler.look_again()
    assert scheduler.next_undecoded(Lane.FILES, 1.0) is None
    is_there = True
    scheduler.look_again()
    assert scheduler.next_undecoded(Lane.FILES, 1.0) is source
    scheduler.decoded(source, steps_of(100), 1.0)
    assert run_one(scheduler)[1] == [first]


def test_what_it_waits_for_may_come_while_it_is_put_aside():
    scheduler = Scheduler(LIMITS)
    admit(scheduler, 1)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, [Decoded(None, until=lambda: True)], 1.0)
    assert scheduler.next_undecoded(Lane.FILES, 1.0) is source


def test_what_waits_aside_can_be_given_up():
    scheduler = Scheduler(LIMITS)
    jobs = [admit(scheduler, 1), admit(scheduler, 2, deadline_at=5.0)]
    for _ in jobs:
        source = scheduler.next_undecoded(Lane.FILES, 0.0)
        scheduler.decoded(source, [Decoded(None, until=lambda: False)], 1.0)
    assert scheduler.cancel(1) == jobs[:1]
    assert scheduler.expire(5.0) == jobs[1:]
    assert scheduler.is_idle
    assert scheduler.n_queued == 0


def cut(n_samples):
    """The steps of an audio that is handed over whole, and then listened to."""
    [step] = steps_of(n_samples)
    return [replace(step, is_last=False, is_cut=True, held_bytes=4 * n_samples)]


QUALITY = Quality(1.0, -20.0, 30.0, 0.0, 8000.0, None, ())


def test_an_audio_is_answered_once_it_is_embedded_and_its_quality_is_known():
    for is_run_first in (True, False):
        scheduler = Scheduler(LIMITS)
        admitted = admit(scheduler, 1)
        source = scheduler.next_undecoded(Lane.FILES, 0.0)
        assert scheduler.decoded(source, cut(100), 1.0) == []
        if is_run_first:
            item, finished = run_one(scheduler)
            assert finished == []
        assert scheduler.next_undecoded(Lane.FILES, 2.0) is source
        last = Decoded(None, is_last=True, quality=QUALITY)
        finished = scheduler.decoded(source, [last], 2.0)
        assert finished == ([admitted] if is_run_first else [])
        if not is_run_first:
            item, finished = run_one(scheduler)
        assert finished == [admitted]
        assert item.quality == QUALITY


@pytest.mark.parametrize("runs", [True, False])
def test_what_runs_may_finish_though_nobody_listens_any_more(runs):
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, cut(100), 1.0)
    if runs:
        item = start(scheduler, 2.0)
        assert scheduler.cancel(1) == []
        assert scheduler.completed([item], ["embedding"], 3.0) == [admitted]
        assert outcomes_of(admitted) == ["embedding"]
    else:
        assert scheduler.cancel(1) == [admitted]
        [outcome] = outcomes_of(admitted)
        assert isinstance(outcome, Cancelled)


def test_what_is_late_is_late_though_it_is_embedded():
    scheduler = Scheduler(LIMITS)
    admitted = admit(scheduler, 1, deadline_at=5.0)
    scheduler.decoded(scheduler.next_undecoded(Lane.FILES, 0.0), cut(100), 1.0)
    run_one(scheduler)
    assert scheduler.expire(5.0) == [admitted]
    assert isinstance(admitted.sources[0].error, DeadlineExceeded)


def test_what_is_only_listened_to_goes_on_however_much_is_decoded():
    """Its samples are held until then."""
    scheduler = Scheduler(LIMITS, max_decoded_bytes=400)
    for job_id in (1, 2):
        admit(scheduler, job_id)
    source = scheduler.next_undecoded(Lane.FILES, 0.0)
    scheduler.decoded(source, cut(100), 1.0)
    assert scheduler.n_queued == 2, "an audio counts as one"
    assert scheduler.next_undecoded(Lane.FILES, 2.0) is source
    assert scheduler.next_undecoded(Lane.FILES, 2.0) is None
    scheduler.decoded(source, [Decoded(None, is_last=True, quality=QUALITY)], 3.0)
    assert scheduler.next_undecoded(Lane.FILES, 3.0) is None
    run_one(scheduler)
    assert scheduler.next_undecoded(Lane.FILES, 4.0) is not None
