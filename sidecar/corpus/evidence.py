"""What cosines say about who it is: likelihood ratios where the model has a calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.scores.calibration import Calibration

Floats = NDArray[np.float64]

# Without a calibration: two thirds of the way from what strangers have to what one voice has, with
# any of the models here; and how much a cosine is worth in odds there, of a typical calibration.
_THRESHOLD, _SLOPE = 0.4, 23.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """``calibration``: the model's; None: there is none, and ratios are guessed."""

    calibration: Calibration | None

    def llrs(self, cosines: Floats, speech_s_a: Floats | float, speech_s_b: Floats) -> Floats:
        """The log-likelihood ratios of one person against two, natural, shape (n,)."""
        if self.calibration is None:
            return _SLOPE * (cosines - _THRESHOLD)
        return self.calibration.llrs(cosines, speech_s_a, speech_s_b)

    def threshold(self, speech_s: float) -> float:
        """The cosine from which on two utterances of so much speech are rather one person's."""
        if self.calibration is None:
            return _THRESHOLD
        low, high = -1.0, 1.0
        while high - low > 1e-4:
            middle = (low + high) / 2
            is_one = self.calibration.llr(middle, speech_s, speech_s) >= 0
            low, high = (low, middle) if is_one else (middle, high)
        return high


def probability_of_own(own_llrs: Floats, other_llrs: Floats) -> Floats:
    """How probable it is that it is who it is said to be, shape (n,).

    Against the most alike of all others, and somebody who is none of them, each as probable as the
    other before anything is heard. Where ``own_llrs`` is nan, nothing is known of the own voice,
    and they are somebody who is none of the others.
    """
    is_known = ~np.isnan(own_llrs)
    own = np.where(is_known, own_llrs, 0.0)
    highest = np.maximum(0.0, np.maximum(own, other_llrs))
    of_own, of_other = np.exp(own - highest), np.exp(other_llrs - highest)
    probabilities: Floats = of_own / (of_own + of_other + np.where(is_known, np.exp(-highest), 0.0))
    return probabilities
