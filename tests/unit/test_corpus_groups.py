import math

import numpy as np
import pytest
from unit.made_voices import voices

from sidecar.corpus.evidence import Evidence, probability_of_own
from sidecar.corpus.groups import gather
from sidecar.scores.built_in import BUILT_IN
from sidecar.scores.calibration import find_calibration

GUESS = Evidence(None)


def fit_of(units, groups, **more):
    speech_s = np.full(len(units), 5.0)
    known = gather([units[:7], units[7:]], groups, speech_s, int(groups.max()) + 1)
    return known.fit(units, groups, speech_s, GUESS, **more)


def test_the_own_cosine_leaves_the_utterance_out():
    units = voices(1, 4)
    fit = fit_of(units, np.zeros(4, int))
    rest = units[1:].sum(axis=0)
    assert fit.own[0] == pytest.approx(units[0] @ rest / np.linalg.norm(rest), abs=1e-6)
    assert fit.other.tolist() == [-1] * 4  # there is nobody else


def test_who_has_another_label_fits_badly():
    groups = np.repeat(np.arange(4), 10)
    groups[5] = 3
    fit = fit_of(voices(4, 10), groups)
    assert np.flatnonzero(fit.probability < 0.5).tolist() == [5]
    assert fit.other[5] == 0


def test_one_of_a_kind_has_no_own_cosine_and_fits_unless_it_is_like_another():
    units = np.concatenate([voices(2, 5), voices(1, 1, seed=9), voices(2, 5)[:1]])
    groups = np.array([*[0] * 5, *[1] * 5, 2, 3])
    fit = fit_of(units, groups)
    assert np.isnan(fit.own[-2:]).all()
    assert fit.probability[-2] > 0.5 > fit.probability[-1]


def test_twins_are_not_each_others_other():
    groups = np.array([0, 1] * 10 + [2] * 20)
    fit = fit_of(voices(2, 20), groups, twins=[(0, 1)])
    assert set(fit.other[:20].tolist()) == {2}
    assert set(fit_of(voices(2, 20), groups).other[:20].tolist()) == {0, 1}


def test_rows_without_a_group_count_for_nothing():
    units = voices(2, 5)
    groups = np.array([0] * 5 + [-1] * 5)
    known = gather([units], groups, np.ones(10), 1)
    assert known.counts.tolist() == [5]
    assert known.speech_s.tolist() == [5.0]
    assert known.sums[0] == pytest.approx(units[:5].sum(axis=0), abs=1e-5)


def test_the_probability_is_of_three():
    told = probability_of_own(np.array([2.0, -5.0, np.nan]), np.array([-1.0, -5.0, 1.0]))
    own, other = math.exp(2), math.exp(-1)
    assert told[0] == pytest.approx(own / (own + other + 1))
    assert told[1] < 0.01  # then it is somebody who is none of them
    assert told[2] == pytest.approx(1 / (1 + math.e))


@pytest.mark.parametrize("fingerprint", BUILT_IN)
def test_the_threshold_is_where_the_ratio_is_even(fingerprint):
    calibration = find_calibration(fingerprint)
    cosine = Evidence(calibration).threshold(4.0)
    assert calibration.llr(cosine, 4.0, 4.0) == pytest.approx(0, abs=0.01)
    assert 0.2 < cosine < 0.6


def test_without_a_calibration_it_is_guessed():
    assert GUESS.llrs(np.array([GUESS.threshold(4.0)]), 4.0, np.array([4.0]))[0] == pytest.approx(0)
