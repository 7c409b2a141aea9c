"""A calibration fitted to trials, by scikit-learn: at build time, and for ``calibrate``.

The model is that of ``sidecar.scores.calibration``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
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
# Pairs of two people from which on their scores are a distribution.
MIN_STRANGERS = 50
# In standard deviations. Pairs of one speaker hang together, so one would be too few.
_SURE = 2.0
# Of a normal distribution: standard deviations for each mean distance from the middle.
_PER_MEAN_DISTANCE = math.sqrt(math.pi / 2)
# Reliabilities that differ by less, in standard deviations, say nothing of what lengths do.
_MIN_VARIATION = 0.03
# How far other microphones usually are from a known calibration: its ratios stretched by e to the
# power of so much, and moved by so much. A bound that none comes near.
_USUAL_STRETCH, _USUAL_MOVE, _FAR_AWAY = 0.5, 2.0, 1e4
_REVERSED = "the cosines of one person are not above those of two"
# Of the squared weights, beside a loss in which each person counts as 1: hardly any.
_PENALTY = 0.001


def fit(trials: Trials, speech_s_a: Floats, speech_s_b: Floats) -> Calibration:
    """The calibration that loses least on ``trials``, whose scores are cosines.

    Where all have about the same length, it knows nothing of lengths.

    Raises:
        ValueError: there are no targets, too few non-targets, or the cosines of one person are not
            above those of two.
    """
    if trials.n_stranger_pairs < MIN_STRANGERS:
        raise ValueError(
            f"it takes {MIN_STRANGERS} pairs of two people, and there are {trials.n_stranger_pairs}"
        )
    reliabilities = {k: _reliability(speech_s_a, speech_s_b, k) for k in _HALF_S}
    regressions = {k: _regress(trials, reliabilities[k]) for k in _HALF_S}
    half_s = min(_HALF_S, key=lambda k: regressions[k].loss)
    mean, spread, deviations = _strangers(trials, reliabilities[half_s])
    return Calibration(
        *regressions[half_s].weights,
        half_s=half_s,
        least=-math.log(trials.n_target_speakers),
        most=math.log(trials.n_stranger_pairs),
        stranger_mean=mean,
        stranger_spread=spread,
        stranger_tail=_tail(trials, deviations),
        speakers=trials.n_speakers,
        targets=int(trials.is_target.sum()),
        strangers=trials.n_stranger_pairs,
    )


def adapt(
    known: Calibration, trials: Trials, speech_s_a: Floats, speech_s_b: Floats
) -> Calibration:
    """``known``, stretched and moved to fit ``trials``, whose scores are cosines.

    What lengths do stays as it was, and so do the bounds, unless the trials support more. How high
    strangers score is measured anew where there are ``MIN_STRANGERS`` pairs of them.

    Raises:
        ValueError: there are no targets or no non-targets, or the ratios of one person are not
            above those of two.
    """
    llrs = replace(known, least=-_FAR_AWAY, most=_FAR_AWAY).llrs(
        trials.scores, speech_s_a, speech_s_b
    )
    weights = measures.balanced(trials.is_target, trials.weights)
    signs = np.where(trials.is_target, 1.0, -1.0)
    if weights @ (signs * llrs) <= 0:
        raise ValueError(_REVERSED)

    def loss(stretch_and_move: Floats) -> float:
        stretch, move = stretch_and_move
        costs = np.logaddexp(0.0, -signs * (math.exp(stretch) * llrs + move))
        doubts = (stretch / _USUAL_STRETCH) ** 2 + (move / _USUAL_MOVE) ** 2
        return float(trials.n_target_speakers * (weights @ costs) + doubts / 2)

    stretch, move = minimize(loss, np.zeros(2)).x.tolist()
    scale = math.exp(stretch)
    own = replace(
        known,
        constant=scale * known.constant + move,
        of_cosine=scale * known.of_cosine,
        of_reliability=scale * known.of_reliability,
        of_product=scale * known.of_product,
        least=min(known.least, -math.log(trials.n_target_speakers)),
        most=max(known.most, math.log(trials.n_stranger_pairs)),
        speakers=trials.n_speakers,
        targets=int(trials.is_target.sum()),
        strangers=trials.n_stranger_pairs,
    )
    if own.strangers < MIN_STRANGERS:
        return own
    of_two = ~trials.is_target
    reliability = _reliability(speech_s_a, speech_s_b, known.half_s)[of_two]
    shares = trials.weights[of_two] / trials.weights[of_two].sum()
    (at_none, gain), (spread, spread_gain) = known.stranger_mean, known.stranger_spread
    off = trials.scores[of_two] - (at_none + gain * reliability)
    mean = float(shares @ off)
    deviations = (off - mean) / (spread + spread_gain * reliability)
    wider = float(shares @ np.abs(deviations)) * _PER_MEAN_DISTANCE
    return replace(
        own,
        stranger_mean=(at_none + mean, gain),
        stranger_spread=(wider * spread, wider * spread_gain),
        stranger_tail=_tail(trials, deviations / wider),
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
    varies = reliability.std() > _MIN_VARIATION
    for columns in ([0, 1, 2], [0, 1], [0])[0 if varies else 2 :]:
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
    raise ValueError(_REVERSED)


def _reliability(speech_s_a: Floats, speech_s_b: Floats, half_s: float) -> Floats:
    shares = [speech_s / (speech_s + half_s) for speech_s in (speech_s_a, speech_s_b)]
    return np.sqrt(shares[0] * shares[1])


Line = tuple[float, float]


def _strangers(trials: Trials, reliability: Floats) -> tuple[Line, Line, Floats]:
    """Mean and spread of the strangers' cosines, on straight lines, and where each lies on them."""
    of_two = ~trials.is_target
    cosines, reliability = trials.scores[of_two], reliability[of_two]
    weights = trials.weights[of_two] / trials.weights[of_two].sum()
    mean = _line(reliability, cosines, weights)
    centred = cosines - (mean[0] + mean[1] * reliability)
    distances = np.abs(centred) * _PER_MEAN_DISTANCE
    spread = _line(reliability, distances, weights)
    if min(spread[0], sum(spread)) <= 0:
        spread = float(weights @ distances), 0.0
    return mean, spread, centred / (spread[0] + spread[1] * reliability)


def _tail(trials: Trials, deviations: Floats) -> tuple[tuple[float, float], ...]:
    """Which share of the strangers, one deviation each, lies above how many deviations."""
    weights = trials.weights[~trials.is_target]
    order = np.argsort(-deviations)
    above = np.cumsum(weights[order] / weights.sum())
    n_pairs = trials.n_stranger_pairs
    shares = np.array([share for share in _SHARES if share * n_pairs >= _MIN_BEYOND])
    # As far up as the share's interval reaches, so that no more strangers pass than were promised.
    lowest = np.maximum(shares - _SURE * np.sqrt(shares / n_pairs), 0)
    found = deviations[order][np.searchsorted(above, lowest)]
    return tuple(zip(shares.tolist(), found.tolist(), strict=True))


def _line(x: Floats, y: Floats, weights: Floats) -> Line:
    """The line of weighted least squares; level where x is all the same."""
    mean_x, mean_y = weights @ x, weights @ y
    spread_x = math.sqrt(weights @ (x - mean_x) ** 2)
    varies = spread_x > _MIN_VARIATION
    gain = weights @ ((x - mean_x) * (y - mean_y)) / spread_x**2 if varies else 0.0
    return float(mean_y - gain * mean_x), float(gain)
