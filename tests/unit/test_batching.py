from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits, cuda_limits
from sidecar.requests.batching import choose
from sidecar.requests.jobs import Item, Job, Lane, Source

SECOND = 16_000
LIMITS = BatchLimits(max_items=4, max_padded_samples=1000, min_likeness=0.5)


def ready(*lengths):
    return [
        item_of(Job(number, None, 0, 0.0), number, length) for number, length in enumerate(lengths)
    ]


def item_of(job, number, n_samples):
    return Item(Source(job, None, number, Lane.FILES), (number, 0), 0.0, n_samples=n_samples)


def chosen(limits, *lengths):
    return [item.order[0] for item in choose_of(ready(*lengths), limits)]


def choose_of(items, limits):
    return choose(min(items, key=lambda item: item.order), items, limits)


@pytest.mark.parametrize(
    ("why", "lengths", "expected"),
    [
        ("one alone", [100], [0]),
        ("equals, in the order in which they came", [100, 100, 100], [0, 1, 2]),
        ("no more than max_items", [100] * 6, [0, 1, 2, 3]),
        ("nearest in length first", [100, 150, 110, 90, 60], [0, 2, 3, 4]),
        ("nothing less than half as long, or more than twice", [100, 49, 50, 200, 201], [0, 2, 3]),
        ("no more than the budget", [300, 300, 300, 300], [0, 1, 2]),
        (
            "a longer one would cost too much, a shorter one does not",
            [300, 400, 190, 300],
            [0, 3, 2],
        ),
        ("one that is over the budget, alone", [2000, 2000], [0]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_join_the_oldest(why, lengths, expected):
    assert chosen(LIMITS, *lengths) == expected


def test_one_by_one():
    assert chosen(ONE_BY_ONE, 100, 100) == [0]


def test_the_oldest_is_not_the_first_that_was_decoded():
    items = ready(100, 100, 100)
    assert choose_of(items[::-1], LIMITS) == items


def test_equals_of_the_same_request_come_before_older_ones():
    one, other = (Job(number, None, 0, 0.0) for number in (1, 2))
    items = [item_of(job, number, 100) for number, job in enumerate([one, one, other, other])]
    assert [item.order[0] for item in choose(items[2], items, LIMITS)] == [2, 3, 0, 1]


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=40),
    max_items=st.integers(1, 9),
    budget=st.integers(0, 4000),
    likeness=st.floats(0.1, 1),
)
def test_any_batch_is_within_its_limits(lengths, max_items, budget, likeness):
    items = ready(*lengths)
    limits = BatchLimits(max_items, budget, likeness)
    batch = choose_of(items, limits)
    assert batch[0] is items[0], "the oldest is in it"
    assert len(set(map(id, batch))) == len(batch) <= max_items
    longest = max(item.n_samples for item in batch)
    assert len(batch) == 1 or longest * len(batch) <= budget
    for item in batch:
        likeness_of_both = sorted((item.n_samples, items[0].n_samples))
        assert likeness_of_both[0] >= likeness * likeness_of_both[1] * (1 - 1e-9)
    for item in items:
        if item not in batch:
            younger = [i for i in batch if i.n_samples == item.n_samples and i.order > item.order]
            assert not younger, "an equally long one was overtaken"


def test_a_gpu_gets_what_its_free_memory_bears():
    budgets = [
        cuda_limits(free_bytes).max_padded_samples // SECOND
        for free_bytes in (0, 2**30 - 1, 2**30, 3 * 2**30, 4 * 2**30, 7 * 2**30, 80 * 2**30)
    ]
    assert budgets == [20, 20, 60, 120, 240, 240, 480]


GRID = BatchLimits(1, 0, 1.0, grid_samples=1024, grid_steps=4)


@pytest.mark.parametrize(
    ("longest", "padded"),
    [
        (1, 1024),
        (1024, 1024),
        (8 * 1024, 8 * 1024),
        (8 * 1024 + 1, 10 * 1024),
        (SECOND, 16 * 1024),
        (16 * 1024 + 1, 20 * 1024),
        (120 * SECOND, 1792 * 1024 + 256 * 1024),
    ],
)
def test_a_grid_widens_with_each_octave(longest, padded):
    assert GRID.padded_samples(longest) == padded


def test_a_grid_pads_by_a_quarter_at_most_and_has_four_lengths_in_an_octave():
    lengths = range(8 * 1024, 120 * SECOND, 97)
    assert all(n <= GRID.padded_samples(n) <= 1.25 * n for n in lengths)
    assert len({GRID.padded_samples(n) for n in range(SECOND + 385, 2 * SECOND + 769, 7)}) == 4
