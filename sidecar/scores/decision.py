"""From likelihood ratios to answers: the same person or not, and which one of many.

What a host may choose is an operating point: how many strangers it lets pass, or how probable it
is, before anything is heard, that it is the person asked for. Imports no numpy, as ``calibration``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidecar.scores.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DEFAULT_FAR = 0.01
_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where "the same person" begins; each number above 0 and below 1, and at most one of them.

    Attributes:
        far: the share of strangers that may be accepted; 0.01 if neither is given.
        prior: how probable it is, before anything is heard, that it is the person. Then the more
            probable of the two answers is given.
    """

    far: float | None = None
    prior: float | None = None

    @property
    def at(self) -> str:
        """For people: ``far 1 %``, ``prior 0.01``."""
        if self.prior is not None:
            return f"prior {self.prior:g}"
        return f"far {100 * self._far:g} %"

    @property
    def log_odds(self) -> float:
        """Of it being the person before anything is heard: even where only ``far`` is given."""
        return _logit(_EVEN if self.prior is None else self.prior)

    def stricter(self, share: float) -> OperatingPoint:
        """With only that share of the strangers let pass, or of the odds beforehand."""
        if self.prior is not None:
            odds = share * self.prior / (1 - self.prior)
            return OperatingPoint(prior=odds / (1 + odds))
        return OperatingPoint(far=share * self._far)

    @property
    def _far(self) -> float:
        return _DEFAULT_FAR if self.far is None else self.far

    def threshold(
        self, calibration: Calibration, speech_s_a: float, speech_s_b: float, n_people: int = 1
    ) -> float:
        """The ``llr`` from which on it is the person, or that one of ``n_people``."""
        if self.prior is not None:
            return math.log(n_people) - self.log_odds
        return calibration.threshold(self._far / n_people, speech_s_a, speech_s_b)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether two voices are one person's.

    Attributes:
        llr: how many times as probable the cosine is of one person as of two, natural logarithm.
        probability: that it is one person, with the point's prior, 0.5 where only ``far`` is given.
        same: whether ``llr`` reaches ``threshold``.
        at: what the threshold was chosen for.
    """

    llr: float
    probability: float
    same: bool
    threshold: float
    at: str


def decide(
    calibration: Calibration,
    cosine: float,
    speech_s_a: float,
    speech_s_b: float,
    point: OperatingPoint,
) -> Decision:
    """Whether two voices, with so many seconds of speech each, are one person's."""
    llr = calibration.llr(cosine, speech_s_a, speech_s_b)
    threshold = point.threshold(calibration, speech_s_a, speech_s_b)
    probability = _logistic(llr + point.log_odds)
    return Decision(llr, probability, llr >= threshold, threshold, point.at)


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Which of n people it is.

    Attributes:
        llrs: of each against a stranger, shape (n,).
        probabilities: of each one being the speaker, shape (n,); with ``nobody`` they sum to 1.
        nobody: how probable it is that it is none of them.
        best: the place of the most alike, None where that is not alike enough.
        threshold: what the ``llr`` of ``best`` has to reach.
        at: what the threshold was chosen for.
    """

    llrs: Floats
    probabilities: Floats
    nobody: float
    best: int | None
    threshold: float
    at: str


def decide_among(
    calibration: Calibration,
    cosines: Floats,
    speech_s_people: Floats,
    speech_s: float,
    point: OperatingPoint,
) -> Identification:
    """Which of n people, each with a cosine and seconds of speech, said ``speech_s`` of speech.

    ``far`` is the share of strangers that are taken for anybody: each person has an n-th of it,
    which holds however the people's scores hang together. ``prior`` is how probable it is that it
    is any of them, 0.5 where only ``far`` is given; each has an n-th of it.
    """
    import numpy as np  # noqa: PLC0415 - see above

    n_people = len(cosines)
    if not n_people:
        return Identification(np.empty(0), np.empty(0), 1.0, None, math.inf, point.at)
    llrs = calibration.llrs(cosines, speech_s, speech_s_people)
    # Near the upper bound ratios are the same to the last digit: then the cosine decides.
    highest_llrs = np.flatnonzero(llrs == llrs.max())
    first = int(highest_llrs[cosines[highest_llrs].argmax()])
    threshold = point.threshold(calibration, speech_s, float(speech_s_people[first]), n_people)
    weights = llrs - math.log(n_people) + point.log_odds
    highest = max(0.0, float(weights.max()))  # that of nobody is 0
    shares = np.exp(weights - highest)
    of_nobody = math.exp(-highest)
    total = float(shares.sum()) + of_nobody
    return Identification(
        llrs=llrs,
        probabilities=shares / total,
        nobody=of_nobody / total,
        best=first if llrs[first] >= threshold else None,
        threshold=threshold,
        at=point.at,
    )


def _logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def _logistic(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
