from __future__ import annotations

import pytest

from protocol.errors import OutOfMemory
from protocol.reports import Percentiles
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits
from sidecar.requests.jobs import Item, Job, Lane, Source
from sidecar.requests.meter import N_RECENT, Meter, percentiles_ms


def item(n_samples, *, arrived_at=0.0, decoded_for_s=0.1, run_at=1.0, ran_until=1.5):
    source = Source(Job(1, None, 0, arrived_at), None, 0, Lane.FILES)
    return Item(
        source,
        (0, 0),
        decoded_for_s,
        n_samples=n_samples,
        run_started_at=run_at,
        run_ended_at=ran_until,
    )


def test_what_the_device_did():
    meter = Meter()
    for batch in ([item(100)], [item(100), item(50)], [item(10), item(10)]):
        meter.call_starts(1.0, 2.0)
        assert meter.call_started_at == 1.0
        meter.call_ends(1.5)
        assert meter.call_started_at is None
        meter.ran(batch, ONE_BY_ONE)
    assert meter.batch_sizes == {1: 1, 2: 2}
    assert (meter.n_embeddings, meter.n_samples) == (5, 270)
    assert meter.busy_s == pytest.approx(1.5)
    assert meter.padding_share == pytest.approx(50 / 320)
    assert meter.queue_ms.p50 == pytest.approx(900)
    assert meter.decode_ms.p99 == pytest.approx(100)
    assert meter.compute_ms.p95 == pytest.approx(500)


def test_the_time_of_a_batch_that_did_not_fit_counts_too():
    meter = Meter()
    for until in (1.2, 1.3):
        meter.call_starts(1.0, 2.0)
        meter.call_ends(until)
    assert meter.busy_s == pytest.approx(0.5)
    assert meter.n_embeddings == 0


def test_padding_to_a_grid_counts():
    meter = Meter()
    meter.ran([item(100), item(90)], BatchLimits(8, 10**6, 0.1, grid_samples=80))
    assert meter.padding_share == pytest.approx(1 - 190 / 320)


def test_what_has_no_embedding_counts_for_nothing():
    meter = Meter()
    refused = item(100)
    refused.outcome = OutOfMemory("too long")
    meter.ran([refused], ONE_BY_ONE)
    assert meter.n_embeddings == meter.batch_sizes.total() == 0
    meter.ran([refused, item(50)], ONE_BY_ONE)
    assert (meter.n_embeddings, meter.n_samples) == (1, 50)


def test_a_machines_sleep_is_no_work():
    meter = Meter()
    meter.slept(1000)
    meter.call_starts(1.0, 2.0)
    meter.slept(1000)
    meter.call_ends(1001.5)
    assert meter.busy_s == pytest.approx(0.5)


def test_nothing_yet():
    meter = Meter()
    assert meter.padding_share == 0
    assert meter.decode_ms is meter.queue_ms is meter.compute_ms is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.003], Percentiles(3, 3, 3)),
        ([n / 1000 for n in range(100, 0, -1)], Percentiles(50, 95, 99)),
        ([n / 1000 for n in range(1, 11)], Percentiles(5, 10, 10)),
    ],
)
def test_percentiles_are_nearest_rank(seconds, expected):
    found = percentiles_ms(seconds)
    assert (found.p50, found.p95, found.p99) == pytest.approx(
        (expected.p50, expected.p95, expected.p99)
    )


def test_only_recent_times_count():
    meter = Meter()
    for _ in range(10):
        meter.ran([item(1, ran_until=9.0)], ONE_BY_ONE)
    for _ in range(N_RECENT):
        meter.ran([item(1)], ONE_BY_ONE)
    assert meter.compute_ms.p99 == pytest.approx(500)
