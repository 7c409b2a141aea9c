"""Calibrations fitted to scores of which the truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from unit.test_calibration import CALIBRATIONS

from sidecar.scores.calibration import find_calibration, write_calibration
from sidecar.scores.measures import cllr, min_cllr
from sidecar.scores.trials import Trials

pytest.importorskip("sklearn")

from sidecar.tools.calibration_fit import adapt, fit

SPREAD = 0.1
HALF_S = 1.0


def made(n_people=40, n_each=10, seed=0, *, lengths=(0.5, 1, 2, 5, 20)):
    """Trials as the model says they are: of one person the mean cosine is 0.9 x reliability."""
    rng = np.random.default_rng(seed)
    a, b = (side.ravel() for side in np.indices((n_people, n_people)))
    # As many of one person as of two.
    a, b = np.concatenate([a, np.repeat(a, 1)]), np.concatenate([b, a])
    a, b = np.repeat(a, n_each), np.repeat(b, n_each)
    speech_a, speech_b = rng.choice(lengths, (2, len(a)))
    shares = [speech / (speech + HALF_S) for speech in (speech_a, speech_b)]
    reliability = np.sqrt(shares[0] * shares[1])
    cosines = 0.9 * reliability * (a == b) + SPREAD * rng.standard_normal(len(a))
    trials = Trials(cosines, a == b, a, b, np.ones(len(a)))
    true = 0.9 * reliability * (cosines - 0.45 * reliability) / SPREAD**2
    return trials, speech_a, speech_b, true


def judged(calibration, trials, speech_a, speech_b):
    return calibration.llrs(trials.scores, speech_a, speech_b)


class TestFit:
    def test_it_finds_what_is_there(self):
        trials, *sides, true = made()
        calibration = fit(trials, *sides)
        found = judged(calibration, trials, *sides)
        assert cllr(found, trials.is_target) < cllr(true, trials.is_target) + 0.03
        assert 0.4 < calibration.half_s < 2.5

    def test_people_it_never_met_are_no_worse(self):
        calibration = fit(*made()[:3])
        trials, *sides, true = made(seed=7)
        found = judged(calibration, trials, *sides)
        assert cllr(found, trials.is_target) < cllr(true, trials.is_target) + 0.03

    def test_one_that_knows_no_lengths_is_worse(self):
        trials, speech_a, speech_b, _ = made()
        ends = np.full(len(speech_a), 100.0)
        costs = [
            cllr(judged(fit(trials, *sides), trials, *sides), trials.is_target)
            for sides in ((speech_a, speech_b), (ends, ends))
        ]
        assert costs[0] < costs[1] - 0.02

    def test_strangers_pass_as_often_as_was_said(self):
        trials, *sides, _ = made(n_people=100, n_each=4)
        calibration = fit(trials, *sides)
        unseen, *others, _ = made(n_people=100, n_each=4, seed=3)
        llrs = judged(calibration, unseen, *others)[~unseen.is_target]
        pairs = zip(*(side[~unseen.is_target] for side in others), strict=True)
        for far in (0.1, 0.02):
            wanted = np.array([calibration.threshold(far, *pair) for pair in pairs])
            if len(wanted):
                # Where the threshold would be below 0, fewer pass.
                assert (llrs >= wanted).mean() < 1.1 * far

    def test_bounds_are_what_the_people_support(self):
        trials, *sides, _ = made(n_people=30, n_each=2)
        calibration = fit(trials, *sides)
        assert calibration.least == pytest.approx(-math.log(30))
        assert calibration.most == pytest.approx(math.log(30 * 29 / 2))

    def test_lengths_that_are_all_the_same_teach_nothing_of_lengths(self, tmp_path):
        trials, *sides, _ = made(lengths=(4.0, 4.2))
        calibration = fit(trials, *sides)
        assert calibration.of_product == calibration.of_reliability == 0
        assert calibration.llr(0.5, 0.5, 0.5) == calibration.llr(0.5, 60, 60)
        write_calibration(calibration, "x", tmp_path / "own.json")
        assert find_calibration("x", tmp_path / "own.json") == calibration

    def test_scores_that_are_fully_apart_give_no_infinite_weights(self, tmp_path):
        trials, *sides, _ = made(n_each=1)
        apart = replace(trials, scores=trials.scores + 5 * trials.is_target)
        calibration = fit(apart, *sides)
        write_calibration(calibration, "x", tmp_path / "own.json")
        assert find_calibration("x", tmp_path / "own.json") == calibration
        assert calibration.of_cosine < 100

    def test_the_contrary_of_what_scores_are_is_refused(self):
        trials, *sides, _ = made()
        with pytest.raises(ValueError, match="are not above those of two"):
            fit(replace(trials, scores=-trials.scores), *sides)

    def test_a_handful_of_people_is_refused(self):
        with pytest.raises(ValueError, match="50 pairs of two people, and there are 45"):
            fit(*made(n_people=10)[:3])


class TestAdapt:
    @pytest.fixture
    def known(self):
        return CALIBRATIONS[0]

    def test_another_microphone_moves_and_stretches_it(self, known):
        trials, *sides, _ = made(n_people=30, n_each=4)
        duller = replace(trials, scores=0.6 * trials.scores + 0.1)
        own = adapt(known, duller, *sides)
        costs = [
            cllr(judged(calibration, duller, *sides), duller.is_target)
            for calibration in (own, known)
        ]
        least = min_cllr(judged(known, duller, *sides), duller.is_target)
        assert costs[0] < costs[1] - 0.02
        assert costs[0] < least + 0.08

    def test_a_few_people_move_it_a_little(self, known):
        trials, *sides, _ = made(n_people=2, n_each=1)
        apart = replace(trials, scores=trials.scores + 5 * trials.is_target)
        own = adapt(known, apart, *sides)
        assert 0.3 < own.of_cosine / known.of_cosine < 3
        assert (own.least, own.most, own.half_s) == (known.least, known.most, known.half_s)
        assert (own.stranger_mean, own.stranger_spread, own.stranger_tail) == (
            known.stranger_mean,
            known.stranger_spread,
            known.stranger_tail,
        )

    def test_strangers_that_are_nearer_raise_the_threshold(self, known):
        trials, *sides, _ = made(n_people=30, n_each=4)
        own, nearer = (
            adapt(known, replace(trials, scores=trials.scores + gain * ~trials.is_target), *sides)
            for gain in (0.0, 0.2)
        )
        means = [one.stranger_mean[0] for one in (own, nearer)]
        assert means[1] == pytest.approx(means[0] + 0.2)

    def test_what_it_writes_is_found(self, known, tmp_path):
        own = adapt(known, *made(n_people=4)[:3])
        write_calibration(own, "x", tmp_path / "own.json")
        assert find_calibration("x", tmp_path / "own.json") == own

    def test_the_contrary_is_refused(self, known):
        trials, *sides, _ = made()
        with pytest.raises(ValueError, match="are not above those of two"):
            adapt(known, replace(trials, is_target=~trials.is_target), *sides)
