from __future__ import annotations

import numpy as np
import pytest

from sidecar.scores.trials import MEASURES, Trials, measure


def trials_of(n_speakers, n_each, seed=0, distance=2.0):
    """``n_each`` trials of each speaker and of each two; voices are more or less alike."""
    rng = np.random.default_rng(seed)
    a, b = (side.ravel() for side in np.indices((n_speakers, n_speakers)))
    kept = a <= b
    a, b = np.repeat(a[kept], n_each), np.repeat(b[kept], n_each)
    voices = rng.standard_normal(n_speakers)
    scores = distance * (a == b) + voices[a] * voices[b] + 0.2 * rng.standard_normal(len(a))
    return Trials(scores, a == b, a, b, np.ones(len(a)))


def test_who_is_in_them():
    trials = trials_of(5, 3)
    assert (trials.n_speakers, trials.n_target_speakers, trials.n_stranger_pairs) == (5, 5, 10)


def test_a_pair_is_the_same_the_other_way_round():
    one, other = np.array([0, 1, 0]), np.array([1, 0, 0])
    trials = Trials(np.zeros(3), np.array([False, False, True]), one, other, np.ones(3))
    assert trials.n_stranger_pairs == 1


def test_each_person_and_each_pair_weighs_the_same():
    speakers_a = np.array([0, 0, 0, 1, 0, 1, 0])
    speakers_b = np.array([0, 0, 0, 1, 1, 0, 2])
    is_target = speakers_a == speakers_b
    trials = Trials(np.zeros(7), is_target, speakers_a, speakers_b, np.ones(7)).evenly_weighted()
    np.testing.assert_allclose(trials.weights, [1 / 3, 1 / 3, 1 / 3, 1, 0.5, 0.5, 1])


@pytest.mark.parametrize("name", MEASURES)
def test_an_interval_holds_the_figure(name):
    figure = measure(trials_of(20, 2), name, 100)
    assert figure.low <= figure.value <= figure.high
    assert figure.low < figure.high


def test_more_trials_of_the_same_people_make_nothing_surer_but_more_people_do():
    few, many_trials, many_people = trials_of(8, 2), trials_of(8, 50), trials_of(60, 2)
    widths = [
        figure.high - figure.low
        for figure in (measure(one, "cllr", 200) for one in (few, many_trials, many_people))
    ]
    assert widths[1] > 0.6 * widths[0]
    assert widths[2] < 0.6 * widths[0]


def test_the_same_trials_give_the_same_interval():
    assert measure(trials_of(6, 2), "cllr", 50) == measure(trials_of(6, 2), "cllr", 50)


def test_people_may_have_any_numbers():
    trials = trials_of(6, 2)
    moved = Trials(
        trials.scores,
        trials.is_target,
        7 + 11 * trials.speakers_a,
        7 + 11 * trials.speakers_b,
        trials.weights,
    )
    assert measure(moved, "eer", 50) == measure(trials, "eer", 50)
