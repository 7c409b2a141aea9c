from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.audio.window_plan import max_windowed_samples, plan_windows


@pytest.mark.parametrize(
    ("n_samples", "window", "hop", "plan"),
    [
        (5, 10, 10, [(0, 5)]),
        (10, 10, 10, [(0, 10)]),
        (15, 10, 10, [(0, 10), (10, 15)]),  # half a window stands for itself
        (14, 10, 10, [(0, 10), (4, 14)]),  # less moves back
        (20, 10, 5, [(0, 10), (5, 15), (10, 20)]),
        (22, 10, 5, [(0, 10), (5, 15), (10, 20), (15, 22)]),
        (32, 10, 20, [(0, 10), (20, 30)]),  # a hop longer than the window leaves gaps
        (23, 10, 20, [(0, 10), (13, 23)]),
    ],
)
def test_plans(n_samples, window, hop, plan):
    assert plan_windows(n_samples, window, hop) == plan


sizes = st.integers(1, 400)


@given(sizes, sizes, sizes)
def test_windows_cover_the_audio_and_none_is_short(n_samples, window, hop):
    plan = plan_windows(n_samples, window, hop)
    assert plan[0][0] == 0
    for start, end in plan:
        assert 0 <= start < end <= n_samples
        assert end - start <= window
        assert end - start >= window / 2 or len(plan) == 1
    assert plan == sorted(plan)
    if hop <= window:
        covered = set().union(*(range(start, end) for start, end in plan))
        assert covered == set(range(n_samples))


@given(sizes, sizes, st.integers(1, 20))
def test_the_longest_audio_has_just_as_many_windows_as_allowed(window, hop, max_windows):
    longest = max_windowed_samples(window, hop, max_windows)
    assert len(plan_windows(longest, window, hop)) == max_windows
    if hop <= window:
        assert len(plan_windows(longest + 1, window, hop)) == max_windows + 1
