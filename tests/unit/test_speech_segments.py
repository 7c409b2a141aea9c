"""From probabilities to segments: each number of the rule, at its edge."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.speech.segments import (
    OFFSET,
    ONSET,
    STEP_SAMPLES,
    SegmentRule,
    count_samples,
    find_segments,
)

PADDING = 480


def segments_of(*runs):
    """Of an audio that is runs of (number of steps, probability)."""
    probabilities = [probability for n, probability in runs for _ in range(n)]
    return find_segments(probabilities, STEP_SAMPLES * len(probabilities))


def at(first_step, behind_step):
    """A segment of these steps, with what is added at its ends."""
    return first_step * STEP_SAMPLES - PADDING, behind_step * STEP_SAMPLES + PADDING


def test_speech_between_silences_is_a_segment_with_a_margin():
    assert segments_of((10, 0.0), (20, 1.0), (10, 0.0)) == [at(10, 30)]


def test_it_begins_at_the_onset_and_stays_above_the_offset():
    assert segments_of((10, 0.0), (20, ONSET), (20, OFFSET), (10, 0.0)) == [at(10, 50)]
    assert segments_of((10, 0.0), (30, ONSET - 0.001), (10, 0.0)) == []
    assert segments_of((10, 0.0), (20, 1.0), (20, OFFSET - 0.001)) == [at(10, 30)]


@pytest.mark.parametrize(("n_steps", "is_speech"), [(7, False), (8, True)])
def test_what_is_not_longer_than_a_quarter_of_a_second_is_none(n_steps, is_speech):
    assert bool(segments_of((10, 0.0), (n_steps, 1.0), (10, 0.0))) is is_speech
    assert bool(segments_of((10, 0.0), (n_steps, 1.0))) is is_speech


@pytest.mark.parametrize(("n_steps", "n_segments"), [(1, 1), (4, 1), (5, 2)])
def test_a_pause_shorter_than_a_tenth_of_a_second_ends_nothing(n_steps, n_segments):
    """It has ended when a step begins so long after the first quiet one, and is quiet too."""
    assert len(segments_of((20, 1.0), (n_steps, 0.0), (20, 1.0))) == n_segments


def test_what_is_neither_quiet_nor_loud_does_not_end_a_pause():
    assert segments_of((20, 1.0), (1, 0.0), (9, 0.4), (1, 0.0), (9, 0.4)) == [(0, at(0, 20)[1])]


def test_the_margins_stay_inside_of_the_audio():
    assert segments_of((20, 1.0)) == [(0, 20 * STEP_SAMPLES)]
    assert find_segments([1.0] * 20, 20 * STEP_SAMPLES - 100) == [(0, 20 * STEP_SAMPLES - 100)]


@given(
    probabilities=st.lists(st.floats(0, 1, width=32), max_size=200),
    cuts=st.lists(st.integers(0, 200)),
)
def test_segments_have_an_order_and_do_not_touch_however_they_come(probabilities, cuts):
    n_samples = STEP_SAMPLES * len(probabilities)
    found = find_segments(probabilities, n_samples)
    edges = [edge for segment in found for edge in segment]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= n_samples for edge in edges)
    assert count_samples(found) == sum(end - start for start, end in found) <= n_samples
    rule, bounds = SegmentRule(), [0, *sorted(cuts), len(probabilities)]
    pieces = [rule.feed(probabilities[a:b]) for a, b in itertools.pairwise(bounds)]
    assert [one for piece in pieces for one in piece] + rule.finish(n_samples) == found
