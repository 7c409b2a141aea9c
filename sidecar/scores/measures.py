"""How good scores are: EER, minimum detection cost, Cllr, and minimum Cllr. Pure.

All take scores of targets (two audios of one person) and of non-targets (of two people), the higher
the more alike, and a weight for each trial, so that a bootstrap can draw anew without copying.
Shapes: (n_trials,) each.

Sources: detection cost and its priors, NIST 2012 Speaker Recognition Evaluation Plan, section 3;
Cllr, N. Brummer and J. du Preez, "Application-independent evaluation of speaker detection",
Computer Speech and Language 20 (2006); that the pool-adjacent-violators algorithm gives the best
calibration there can be, the same, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# What minDCF is told for: how probable a target is, with both kinds of error at a cost of 1.
PRIORS = (0.01, 0.001)


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """The two error rates at each threshold, from refusing all to taking all.

    Attributes:
        false_acceptance: the share of non-targets that is accepted, ascending from 0 to 1.
        false_refusal: the share of targets that is refused, descending from 1 to 0.
        thresholds: a trial is accepted from there on; the first is infinite.
    """

    false_acceptance: Floats
    false_refusal: Floats
    thresholds: Floats

    @property
    def eer(self) -> float:
        """Where both are equal: on straight lines between the points, not on their hull."""
        gap = self.false_acceptance - self.false_refusal  # ascends from -1 to 1
        behind = int(np.argmax(gap >= 0))
        before = behind - 1
        share = -gap[before] / (gap[behind] - gap[before])
        rate = self.false_acceptance
        return float(rate[before] + share * (rate[behind] - rate[before]))

    def min_dcf(self, prior: float) -> float:
        """The least cost of errors at any threshold; 1 is that of deciding without listening."""
        cost = prior * self.false_refusal + (1 - prior) * self.false_acceptance
        return float(cost.min() / min(prior, 1 - prior))


def error_rates(scores: Floats, is_target: Bools, weights: Floats | None = None) -> ErrorRates:
    """The error rates at each score; trials of equal scores are accepted together.

    Raises:
        ValueError: there are no targets, or no non-targets.
    """
    levels, targets, others = _by_score(scores, is_target, weights)
    accepted_targets = np.concatenate([[0.0], np.cumsum(targets[::-1])])
    accepted_others = np.concatenate([[0.0], np.cumsum(others[::-1])])
    return ErrorRates(
        false_acceptance=accepted_others / accepted_others[-1],
        false_refusal=1 - accepted_targets / accepted_targets[-1],
        thresholds=np.concatenate([[np.inf], levels[::-1]]),
    )


def cllr(llrs: Floats, is_target: Bools, weights: Floats | None = None) -> float:
    """The cost of natural-log likelihood ratios in bits: 0 knows all; 1 is as good as silence.

    ``(E[ln(1 + e^-llr) | target] + E[ln(1 + e^llr) | non-target]) / (2 ln 2)``

    Raises:
        ValueError: there are no targets, or no non-targets.
    """
    signs = np.where(is_target, -1.0, 1.0)
    costs = np.logaddexp(0.0, signs * llrs)
    return float(costs @ balanced(is_target, weights) / np.log(2))


def min_cllr(scores: Floats, is_target: Bools, weights: Floats | None = None) -> float:
    """Cllr of the best calibration there can be of these very scores: their power to tell apart.

    Raises:
        ValueError: there are no targets, or no non-targets.
    """
    _levels, targets, others = _by_score(scores, is_target, weights)
    # Neighbours that are of one kind alone have the same rate in any case: they go as one.
    kinds = np.where(others == 0, 1, np.where(targets == 0, 0, 2))
    is_new = np.concatenate([[True], (np.diff(kinds) != 0) | (kinds[1:] == 2)])
    starts = np.flatnonzero(is_new)
    targets, others = np.add.reduceat(targets, starts), np.add.reduceat(others, starts)
    p_target = pool_adjacent_violators(targets, targets + others)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost_targets = np.where(targets > 0, -targets * np.log(p_target), 0.0)
        cost_others = np.where(others > 0, -others * np.log1p(-p_target), 0.0)
    return float((cost_targets.sum() + cost_others.sum()) / np.log(2))


def pool_adjacent_violators(hits: Floats, weights: Floats) -> Floats:
    """The ascending rates nearest to ``hits / weights`` in weighted least squares.

    M. Ayer and others, "An empirical distribution function for sampling with incomplete
    information", Annals of Mathematical Statistics 26 (1955).
    """
    # Each block: its hits, its weight, how many points it pools.
    blocks: list[tuple[float, float, int]] = []
    for hit, weight in zip(hits.tolist(), weights.tolist(), strict=True):
        block = (hit, weight, 1)
        # Crosswise, since a weight may be 0.
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    rates = [hit / weight if weight else 0.0 for hit, weight, _ in blocks]
    return np.repeat(rates, [count for _, _, count in blocks])


def _by_score(
    scores: Floats, is_target: Bools, weights: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """The different scores, ascending, with the weight of targets and of non-targets at each.

    Each kind weighs 0.5 in all.
    """
    found = balanced(is_target, weights)
    levels, places = np.unique(scores, return_inverse=True)
    sides = (is_target, ~is_target)
    targets, others = (np.zeros(len(levels)) for _ in sides)
    for sums, chosen in zip((targets, others), sides, strict=True):
        np.add.at(sums, places[chosen], found[chosen])
    # What weighs nothing, as where a bootstrap has not drawn it, is not there.
    is_there = targets + others > 0
    return levels[is_there], targets[is_there], others[is_there]


def balanced(is_target: Bools, weights: Floats | None) -> Floats:
    """The weights, such that those of each kind are 0.5 in all.

    Raises:
        ValueError: there are no targets, or no non-targets.
    """
    found = np.ones(len(is_target)) if weights is None else np.asarray(weights, np.float64)
    of_targets, of_others = found[is_target].sum(), found[~is_target].sum()
    if not (of_targets > 0 and of_others > 0):
        raise ValueError("there must be trials of one person and trials of two")
    even: Floats = found * np.where(is_target, 0.5 / of_targets, 0.5 / of_others)
    return even
