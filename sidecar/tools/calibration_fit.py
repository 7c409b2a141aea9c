"""A calibration fitted to trials, by scikit-learn: at build time, and for ``calibrate``.

The model is that of ``sidecar.scores.calibration``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from sidecar.scores import measures
from sidecar.scores.calibration import Calibration
from sidecar.scores.measures import Floats
from sidecar.scores.trials import Trials

# Seconds at which an embedding may be half voice, half disturbance.
_HALF_S = tuple(np.geomspace(0.1, 10.0, 21).round(3).tolist())
# Shares of strangers that a tail is told for, as far as so many pairs of people lie beyond.
_SHARES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_MIN_BEYOND = 5
# In standard deviations: nine times of ten.
_SURE = 1.28
# Of the squared weights, beside a loss in which each person counts as 1: hardly any.
_PENALTY = 0.01


def fit(trials: Trials, speech_s_a: Floats, speech_s_b: Floats) -> Calibration:
    """The calibration that loses least on ``trials``, whose scores are cosines.

    Raises:
        ValueError: there are no targets, or no non-targets; or the cosines of one person are not
            above those of two.
    """
    reliabilities = {k: _reliability(speech_s_a, speech_s_b, k) for k in _HALF_S}
    regressions = {k: _regress(trials, reliabilities[k]) for k in _HALF_S}
    half_s = min(_HALF_S, key=lambda k: regressions[k].loss)
    mean, spread, tail = _strangers(trials, reliabilities[half_s])
    return Calibration(
        *regressions[half_s].weights,
        half_s=half_s,
        least=-math.log(trials.n_target_speakers),
        most=math.log(trials.n_stranger_pairs),
        stranger_mean=mean,
        stranger_spread=spread,
        stranger_tail=tail,
        speakers=trials.n_speakers,
        targets=int(trials.is_target.sum()),
        strangers=trials.n_stranger_pairs,
    )


@dataclass(frozen=True)
class _Regression:
    weights: tuple[float, float, float, float]
    loss: float


def _regress(trials: Trials, reliability: Floats) -> _Regression:
    """The weights for a given reliability, and the Cllr that they leave, in bits."""
    cosines = trials.scores
    features = np.stack([cosines, reliability, cosines * reliability], axis=1)
    weights = trials.n_speakers * measures.balanced(trials.is_target, trials.weights)
    for columns in ([0, 1, 2], [0, 1]):
        model = LogisticRegression(C=1 / _PENALTY, max_iter=1000)
        model.fit(features[:, columns], trials.is_target, weights)
        found = np.zeros(3)
        found[columns] = model.coef_[0]
        of_cosine, of_reliability, of_product = found.tolist()
        # It must ascend with the cosine at any reliability from 0 to 1.
        if min(of_cosine, of_cosine + of_product) > 0:
            llrs = model.decision_function(features[:, columns])
            loss = measures.cllr(llrs, trials.is_target, trials.weights)
            constant = float(model.intercept_[0])
            return _Regression((constant, of_cosine, of_reliability, of_product), loss)
    raise ValueError("the cosines of one person are not above those of two")


def _reliability(speech_s_a: Floats, speech_s_b: Floats, half_s: float) -> Floats:
    shares = [speech_s / (speech_s + half_s) for speech_s in (speech_s_a, speech_s_b)]
    return np.sqrt(shares[0] * shares[1])


def _strangers(
    trials: Trials, reliability: Floats
) -> tuple[tuple[float, float], tuple[float, float], tuple[tuple[float, float], ...]]:
    """Mean and spread of the strangers' cosines, on straight lines, and the tail above them."""
    of_two = ~trials.is_target
    cosines, reliability = trials.scores[of_two], reliability[of_two]
    weights = trials.weights[of_two] / trials.weights[of_two].sum()
    mean = _line(reliability, cosines, weights)
    centred = cosines - (mean[0] + mean[1] * reliability)
    # Of a normal distribution the mean distance is sqrt(2 / pi) standard deviations.
    spread = _line(reliability, np.abs(centred) * math.sqrt(math.pi / 2), weights)
    deviations = centred / (spread[0] + spread[1] * reliability)
    order = np.argsort(-deviations)
    above = np.cumsum(weights[order])
    n_pairs = trials.n_stranger_pairs
    shares = np.array([share for share in _SHARES if share * n_pairs >= _MIN_BEYOND])
    # As far up as the share's interval reaches, so that no more strangers pass than were promised.
    lowest = shares - _SURE * np.sqrt(shares / n_pairs)
    found = deviations[order][np.searchsorted(above, lowest)]
    return mean, spread, tuple(zip(shares.tolist(), found.tolist(), strict=True))


def _line(x: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """The line of weighted least squares, level where x is all the same."""
    mean_x, mean_y = weights @ x, weights @ y
    variance = weights @ (x - mean_x) ** 2
    gain = weights @ ((x - mean_x) * (y - mean_y)) / variance if variance > 1e-6 else 0.0
    return float(mean_y - gain * mean_x), float(gain)
