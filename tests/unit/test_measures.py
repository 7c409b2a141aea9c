"""The measures against closed forms, and what must hold of them whatever the scores."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scores import measures

NORMAL = NormalDist()


def normal_scores(mean, spread=1.0, n=20_001):
    """A normal distribution, exactly: one score for each of ``n`` equal shares of it."""
    shares = (np.arange(n) + 0.5) / n
    return mean + spread * np.array([NORMAL.inv_cdf(share) for share in shares.tolist()])


def mixed(targets, others):
    is_target = np.concatenate([np.ones(len(targets), bool), np.zeros(len(others), bool)])
    return np.concatenate([targets, others]).astype(float), is_target


def calibrated(variance):
    """Normal ratios that are their own likelihood ratios: the mean is half the variance."""
    spread = variance**0.5
    return mixed(normal_scores(variance / 2, spread), normal_scores(-variance / 2, spread))


class TestErrorRates:
    @pytest.mark.parametrize("distance", [0.5, 2.0, 4.0])
    def test_the_eer_of_two_normal_distributions(self, distance):
        scores, is_target = mixed(normal_scores(distance), normal_scores(0))
        eer = measures.error_rates(scores, is_target).eer
        assert eer == pytest.approx(NORMAL.cdf(-distance / 2), abs=1e-4)

    def test_apart_it_is_0_and_crossed_it_is_1(self):
        assert measures.error_rates(*mixed([2, 3], [0, 1])).eer == 0
        assert measures.error_rates(*mixed([0, 1], [2, 3])).eer == 1

    def test_scores_that_are_all_the_same_are_a_coin(self):
        assert measures.error_rates(*mixed([1, 1], [1, 1, 1])).eer == pytest.approx(0.5)

    def test_by_hand(self):
        # At 2 one target of four is refused and one stranger of four accepted.
        rates = measures.error_rates(*mixed([1, 2, 3, 4], [0, 0.5, 0.7, 2.5]))
        assert rates.eer == pytest.approx(0.25)
        assert rates.thresholds[0] == np.inf
        assert rates.false_acceptance[0] == 0
        assert rates.false_refusal[-1] == 0

    def test_the_cost_at_a_prior_of_two_normal_distributions(self):
        distance, prior = 3.0, 0.01
        scores, is_target = mixed(normal_scores(distance), normal_scores(0))
        # The best threshold of equal variances: where the likelihood ratio is (1 - p) / p.
        best = distance / 2 + np.log((1 - prior) / prior) / distance
        misses, alarms = NORMAL.cdf(best - distance), NORMAL.cdf(-best)
        cost = (prior * misses + (1 - prior) * alarms) / prior
        assert measures.error_rates(scores, is_target).min_dcf(prior) == pytest.approx(
            cost, abs=5e-3
        )

    def test_the_cost_of_what_tells_nothing_is_1(self):
        assert measures.error_rates(*mixed([1, 1], [1, 1])).min_dcf(0.01) == 1
        assert measures.error_rates(*mixed([2, 3], [0, 1])).min_dcf(0.001) == 0

    def test_a_weight_counts_as_so_many_trials(self):
        once = measures.error_rates(*mixed([1, 2, 2, 2], [0, 1.5, 1.5]))
        scores, is_target = mixed([1, 2], [0, 1.5])
        weighted = measures.error_rates(scores, is_target, np.array([1.0, 3.0, 1.0, 2.0]))
        assert weighted.eer == pytest.approx(once.eer)

    @pytest.mark.parametrize("kind", [True, False])
    def test_one_kind_alone_is_refused(self, kind):
        with pytest.raises(ValueError, match="trials of one person and trials of two"):
            measures.error_rates(np.zeros(3), np.full(3, kind))


class TestCllr:
    def test_no_knowledge_costs_a_bit(self):
        assert measures.cllr(*mixed([0, 0], [0])) == pytest.approx(1)

    def test_all_knowledge_costs_nothing_and_a_wrong_one_much(self):
        assert measures.cllr(*mixed([800], [-800])) == 0
        assert measures.cllr(*mixed([-800], [800])) == pytest.approx(800 / np.log(2))

    @pytest.mark.parametrize("variance", [1.0, 6.0, 20.0])
    def test_ratios_that_are_what_they_say_cost_the_least_there_is(self, variance):
        scores, is_target = calibrated(variance)
        cost = measures.cllr(scores, is_target)
        assert measures.min_cllr(scores, is_target) == pytest.approx(cost, abs=2e-3)

    def test_ratios_that_say_too_much_cost_more_and_their_least_stays(self):
        scores, is_target = calibrated(6.0)
        cost, least = measures.cllr(scores, is_target), measures.min_cllr(scores, is_target)
        assert measures.cllr(3 * scores + 2, is_target) > 1.5 * cost
        assert measures.min_cllr(3 * scores + 2, is_target) == pytest.approx(least, abs=1e-9)

    @given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40))
    def test_the_least_is_never_above_what_is(self, trials):
        scores = np.array([score for score, _ in trials], float)
        is_target = np.array([same for _, same in trials])
        if is_target.all() or not is_target.any():
            return
        least = measures.min_cllr(scores, is_target)
        assert -1e-12 <= least <= min(1, measures.cllr(scores, is_target)) + 1e-9


class TestPoolAdjacentViolators:
    def test_by_hand(self):
        rates = measures.pool_adjacent_violators(
            np.array([0.0, 1, 0, 1, 1]), np.array([1.0, 1, 1, 1, 1])
        )
        np.testing.assert_allclose(rates, [0, 0.5, 0.5, 1, 1])

    def test_weights(self):
        rates = measures.pool_adjacent_violators(np.array([3.0, 0, 2]), np.array([3.0, 1, 2]))
        np.testing.assert_allclose(rates, [0.75, 0.75, 1])

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=1, max_size=30))
    def test_it_ascends_keeps_the_sum_and_no_step_can_be_better(self, points):
        hits = np.array([min(hit, weight) for hit, weight in points], float)
        weights = np.array([weight for _, weight in points], float)
        rates = measures.pool_adjacent_violators(hits, weights)
        assert (np.diff(rates) >= -1e-12).all()
        assert (rates * weights).sum() == pytest.approx(hits.sum())
        # Of a best ascending fit, no ending can gain by being moved as a whole (Kuhn and Tucker).
        slack = np.cumsum((rates * weights - hits)[::-1])
        assert (slack >= -1e-9).all()

    def test_it_is_scikit_learns(self):
        isotonic = pytest.importorskip("sklearn.isotonic")
        rng = np.random.default_rng(1)
        weights = rng.uniform(0.1, 2, 300)
        hits = weights * rng.random(300)
        ours = measures.pool_adjacent_violators(hits, weights)
        theirs = isotonic.isotonic_regression(hits / weights, sample_weight=weights)
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
