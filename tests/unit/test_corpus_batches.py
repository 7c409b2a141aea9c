import random

import pytest

from sidecar.corpus.batches import alike
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits

LIMITS = BatchLimits(max_items=4, max_padded_samples=100, min_likeness=0.7)


def test_each_place_is_in_one_batch_that_fits():
    lengths = [random.Random(0).randrange(1, 60) for _ in range(100)]
    batches = list(alike(lengths, LIMITS))
    assert sorted(place for batch in batches for place in batch) == list(range(100))
    for batch in batches:
        longest, shortest = (f(lengths[place] for place in batch) for f in (max, min))
        assert len(batch) <= LIMITS.max_items
        assert shortest >= LIMITS.min_likeness * longest
        assert len(batch) == 1 or len(batch) * longest <= LIMITS.max_padded_samples


def test_what_is_alike_is_together():
    assert list(alike([10, 40, 11, 41], LIMITS)) == [[3, 1], [2, 0]]


def test_what_is_longer_than_a_batch_may_be_is_alone():
    assert list(alike([500, 20], LIMITS)) == [[0], [1]]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_one_by_one(n):
    assert [len(batch) for batch in alike([7] * n, ONE_BY_ONE)] == [1] * n
