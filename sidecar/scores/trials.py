"""Trials: pairs of audios of one person or of two, with their scores, and how sure figures are.

Trials of one speaker are not independent: another utterance of the same voice tells little that is
new. So intervals come from a bootstrap over speakers: all trials of a speaker are drawn together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sidecar.scores import measures
from sidecar.scores.measures import Bools, Floats

N_DRAWS = 400
_SEED = 20_250


@dataclass(frozen=True, eq=False)
class Trials:
    """Scored pairs; shapes (n_trials,).

    Attributes:
        speakers_a, speakers_b: who speaks on either side, as numbers from 0 on; for targets the
            same one.
        weights: how much each counts, for the figures as for the fit.
    """

    scores: Floats
    is_target: Bools
    speakers_a: NDArray[np.intp]
    speakers_b: NDArray[np.intp]
    weights: Floats

    @property
    def n_speakers(self) -> int:
        """How many people speak in them."""
        return len(np.union1d(self.speakers_a, self.speakers_b))

    @property
    def n_target_speakers(self) -> int:
        """Of how many people there are targets."""
        return len(np.unique(self.speakers_a[self.is_target]))

    @property
    def n_stranger_pairs(self) -> int:
        """How many different pairs of two people are in them."""
        pairs = np.stack([self.speakers_a, self.speakers_b])[:, ~self.is_target]
        return len(np.unique(np.sort(pairs, axis=0), axis=1).T)

    def where(self, chosen: Bools) -> Trials:
        """Only the chosen ones."""
        return Trials(**{name: rows[chosen] for name, rows in vars(self).items()})

    def evenly_weighted(self) -> Trials:
        """The same, with each person's targets weighing the same, and each pair's non-targets."""
        pairs = np.sort([self.speakers_a, self.speakers_b], axis=0)
        keys = np.concatenate([pairs, self.is_target[None]])
        _groups, places, counts = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
        return replace(self, weights=1 / counts[places.ravel()])


Measure = Callable[[Floats, Bools, Floats], float]


def _eer(scores: Floats, is_target: Bools, weights: Floats) -> float:
    return measures.error_rates(scores, is_target, weights).eer


def _min_dcf(prior: float) -> Measure:
    return lambda *trials: measures.error_rates(*trials).min_dcf(prior)


MEASURES: dict[str, Measure] = {
    "eer": _eer,
    **{f"min_dcf_{prior:g}": _min_dcf(prior) for prior in measures.PRIORS},
    "cllr": measures.cllr,
    "min_cllr": measures.min_cllr,
}


@dataclass(frozen=True)
class Figure:
    """What a measure gives, and the interval that holds 95 % of the draws."""

    value: float
    low: float
    high: float


def measure(trials: Trials, name: str, n_draws: int = N_DRAWS) -> Figure:
    """The measure of that name in ``MEASURES``, with its interval.

    Raises:
        ValueError: there are no targets, or no non-targets.
    """
    of, scores, is_target = MEASURES[name], trials.scores, trials.is_target
    value = of(scores, is_target, trials.weights)
    found = [
        of(scores, is_target, weights)
        for weights in _draws(trials, n_draws)
        if weights[is_target].any() and weights[~is_target].any()
    ]
    low, high = np.quantile(found, [0.025, 0.975]) if found else (np.nan, np.nan)
    return Figure(value, float(low), float(high))


def _draws(trials: Trials, n_draws: int) -> Iterator[Floats]:
    """The weights of all trials as each draw of as many speakers, with replacement, has them."""
    rng = np.random.default_rng(_SEED)
    speakers, places = np.unique([trials.speakers_a, trials.speakers_b], return_inverse=True)
    a, b = places.reshape(2, -1)
    for _ in range(n_draws):
        times = np.bincount(
            rng.integers(len(speakers), size=len(speakers)), minlength=len(speakers)
        )
        # A pair of two is there as often as both were drawn together.
        yield trials.weights * np.where(a == b, times[a], times[a] * times[b])
