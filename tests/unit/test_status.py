from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("psutil")

from unit.decoded_audio import steps_of

from protocol.messages import Result, decode_from_child, encode_result
from sidecar.config import DEFAULT_LIMITS
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Job, Lane
from sidecar.requests.meter import Meter
from sidecar.requests.scheduler import Scheduler
from sidecar.requests.status import Status


@pytest.fixture
def served():
    """The scheduler, meter and status after one batch of three, with two more that wait."""
    scheduler, meter = Scheduler(DEFAULT_LIMITS), Meter()
    status = Status(scheduler, meter, Counter())
    scheduler.batch_limits = BatchLimits(3, 10**6, 0.1)
    for number in range(5):
        scheduler.admit(Job(number, None, 10, arrived_at=0.0), ["audio"])
        source = scheduler.next_undecoded(Lane.FILES, 1.0)
        scheduler.decoded(source, steps_of(16_000 if number else 8_000), 1.25)
    batch, _ = scheduler.next_batch(2.0)
    meter.call_starts(2.0, 3.0)
    meter.call_ends(2.5)
    scheduler.completed(batch, ["embedding"] * 3, 2.5)
    meter.ran(batch, scheduler.batch_limits)
    return scheduler, meter, status


def test_metrics_tell_what_was_done(served):
    metrics = served[2].metrics()
    assert (metrics.queued, metrics.in_flight, metrics.queued_bytes) == (2, 2, 20)
    assert (metrics.batches, metrics.batch_sizes, metrics.embeddings) == (1, {"3": 1}, 3)
    assert metrics.padding_share == pytest.approx(1 / 6)
    assert metrics.audio_s == 2.5
    assert metrics.device_busy_ms == 500
    assert metrics.audio_s_per_device_s == 5
    assert metrics.decode_ms.p50 == 250
    assert metrics.queue_ms.p99 == 1750
    assert metrics.compute_ms.p95 == 500
    assert metrics.oldest_queued_ms > 0
    assert metrics.rss_bytes > 0
    assert metrics.gpu_peak_reserved_bytes is None


def test_metrics_travel_whole(served):
    message = decode_from_child(encode_result(1, served[2].metrics()))
    assert isinstance(message, Result)
    assert message.result["batch_sizes"] == {"3": 1}
    assert message.result["compute_ms"] == {"p50": 500, "p95": 500, "p99": 500}


def test_metrics_before_anything_was_done():
    metrics = Status(Scheduler(DEFAULT_LIMITS), Meter(), Counter()).metrics()
    assert (metrics.padding_share, metrics.audio_s_per_device_s) == (0, 0)
    assert metrics.decode_ms is None


def test_when_to_try_again_grows_with_what_is_in_flight(served):
    scheduler, _, status = served
    assert status.retry_after_ms() == pytest.approx(2 * 500 / 3, abs=1)
    for number in range(10, 30):
        scheduler.admit(Job(number, None, 10, arrived_at=0.0), ["audio"])
    assert status.retry_after_ms() == pytest.approx(22 * 500 / 3, abs=1)
