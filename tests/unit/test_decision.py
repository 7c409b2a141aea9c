"""What is decided at an operating point: one person or two, and which of many."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from unit.test_calibration import PLAIN

from sidecar.scores.decision import OperatingPoint, decide, decide_among

FAR_1 = OperatingPoint(far=0.01)
TEN_S = 10.0
# Its threshold of few strangers is above 0.
UNBIASED = replace(PLAIN, constant=0.0)


def among(cosines, point=FAR_1, calibration=PLAIN, speech_s=TEN_S):
    cosines = np.array(cosines, float)
    return decide_among(calibration, cosines, np.full(len(cosines), TEN_S), speech_s, point)


class TestPoint:
    @pytest.mark.parametrize(
        ("point", "at"),
        [
            (OperatingPoint(), "far 1 %"),
            (OperatingPoint(far=0.001), "far 0.1 %"),
            (OperatingPoint(far=0.025), "far 2.5 %"),
            (OperatingPoint(far=0.00001), "far 0.001 %"),
            (OperatingPoint(prior=0.01), "prior 0.01"),
        ],
    )
    def test_what_it_is_called(self, point, at):
        assert point.at == at
        assert decide(PLAIN, 0.5, 3, 3, point).at == at


class TestTwo:
    def test_what_is_told(self):
        decision = decide(PLAIN, 0.8, 3, 3, FAR_1)
        assert decision.llr == pytest.approx(3)
        assert decision.probability == pytest.approx(1 / (1 + math.exp(-3)))
        assert decision.same
        assert decision.threshold == PLAIN.threshold(0.01, 3, 3)

    def test_the_threshold_itself_is_enough(self):
        assert decide(PLAIN, 0.5, 3, 3, FAR_1).same
        assert not decide(PLAIN, 0.4999, 3, 3, FAR_1).same

    def test_a_prior_is_outweighed_where_it_is_more_probable_than_not(self):
        point = OperatingPoint(prior=0.01)
        for cosine in np.linspace(0, 1, 101):
            decision = decide(PLAIN, float(cosine), 3, 3, point)
            assert decision.same == (decision.probability >= 0.5)
        assert decision.threshold == pytest.approx(math.log(99))

    @pytest.mark.parametrize("prior", [1e-12, 1 - 1e-12])
    @pytest.mark.parametrize("cosine", [-1.0, 1.0])
    def test_extreme_priors(self, prior, cosine):
        assert 0 <= decide(PLAIN, cosine, 3, 3, OperatingPoint(prior=prior)).probability <= 1


class TestMany:
    def test_the_most_alike_is_found(self):
        found = among([0.1, 0.9, 0.3])
        assert found.best == 1
        assert found.llrs == pytest.approx([-4, 4, -2])
        assert found.at == "far 1 %"

    def test_nobody_is_alike_enough(self):
        assert among([0.1, 0.2, 0.3]).best is None

    def test_an_empty_gallery_knows_nobody(self):
        found = among([])
        assert (found.best, found.nobody, len(found.probabilities)) == (None, 1.0, 0)

    @pytest.mark.parametrize("n", [1, 2, 17, 100_000])
    @pytest.mark.parametrize("prior", [None, 1e-9, 0.5, 0.999])
    def test_the_probabilities_sum_to_1(self, n, prior):
        found = among(np.random.default_rng(n).uniform(-1, 1, n), OperatingPoint(prior=prior))
        assert found.probabilities.sum() + found.nobody == pytest.approx(1)
        assert (found.probabilities >= 0).all()
        assert found.probabilities.argmax() == found.llrs.argmax()

    def test_by_hand(self):
        # Each of two has a quarter before anything is heard, nobody a half.
        found = among([0.5, 0.5 + math.log(3) / 10])
        assert found.probabilities == pytest.approx([0.25 / 1.5, 0.75 / 1.5])
        assert found.nobody == pytest.approx(0.5 / 1.5)

    def test_one_alone_is_as_probable_as_when_verified(self):
        assert among([0.7]).probabilities[0] == pytest.approx(
            decide(PLAIN, 0.7, TEN_S, TEN_S, FAR_1).probability
        )

    def test_more_people_take_more(self):
        thresholds = [
            among([0.9] + [0.0] * n, calibration=UNBIASED).threshold for n in (0, 9, 99, 999)
        ]
        assert sorted(set(thresholds)) == thresholds

    def test_a_prior_is_shared_among_all(self):
        found = among([0.9] + [0.0] * 9, OperatingPoint(prior=0.5))
        assert found.threshold == pytest.approx(math.log(10))

    @pytest.mark.parametrize("sign", [-1.0, 1.0])
    def test_a_hundred_thousand_at_the_bounds(self, sign):
        found = among(np.full(100_000, sign), speech_s=3600.0)
        assert np.isfinite(found.probabilities).all()
        assert found.probabilities.sum() + found.nobody == pytest.approx(1)

    def test_where_ratios_are_the_same_the_cosine_decides(self):
        steep = OperatingPoint(far=0.5)
        cosines = np.array([0.95, 0.99, 0.97])
        flat = replace(PLAIN, most=1e-300, least=-1e-300)
        found = among(cosines, steep, calibration=flat)
        assert found.llrs[0] == found.llrs[1]
        assert found.best in {1, None}

    @pytest.mark.parametrize("n_people", [1, 5, 50])
    @pytest.mark.parametrize("far", [0.05, 0.01])
    def test_no_more_strangers_are_taken_for_anybody_than_were_allowed(self, n_people, far):
        """Strangers as the calibration knows them: normal, with a spread of 0.1."""
        rng = np.random.default_rng(0)
        taken = [
            among(0.1 * rng.standard_normal(n_people), OperatingPoint(far=far), UNBIASED).best
            for _ in range(4000)
        ]
        share = sum(best is not None for best in taken) / len(taken)
        assert 0.6 * far < share < 1.3 * far
