"""From a cosine to a likelihood ratio, which takes into account how much speech was heard.

``ln(p(cosine | one person) / p(cosine | two people))``, as linear logistic regression finds it, in
the cosine and in how reliable two embeddings are. An embedding of ``t`` seconds of speech is taken
as the voice and a disturbance whose variance falls with ``t``: a pair of them has the reliability
``sqrt(t_a / (t_a + k) * t_b / (t_b + k))``, where ``k`` are the seconds from which on there is more
voice in it than disturbance. It ends at 1, so that lengths beyond those that the calibration met
are as good as the longest.

The ratio approaches two bounds and never leaves them: n pairs of strangers cannot show that fewer
than one in n would score so high, nor n people that fewer than one in n would score so low. So the
bounds are ``ln n`` of the pairs, and ``-ln n`` of the people, as if one trial in n were of the
other kind.

Imports no numpy, since the reader of requests would wait for it.
"""

from __future__ import annotations

import json
import math
from bisect import bisect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar.scores.built_in import BUILT_IN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# What is told of a voice of unknown or absurd length is what is told at the ends of these, seconds.
_LEAST_S, _MOST_S = 0.1, 3600.0
_MIN_TAIL, _HALF = 2, 0.5
# No material here says anything of rarer strangers, nor would the tail's extrapolation.
LEAST_FAR = 1e-6


@dataclass(frozen=True)
class Calibration:
    """Numbers that belong to one model, and what they were fitted on.

    Attributes:
        constant, of_cosine, of_reliability, of_product: the weights of the regression.
        half_s: ``k`` above.
        least, most: the bounds of ``llr``.
        stranger_mean, stranger_spread: mean and standard deviation of the cosines of two people,
            each a pair: what it is, and what it gains with the reliability.
        stranger_tail: the share of strangers above so many standard deviations, as pairs
            ``(share, deviations)``, the share descending to what the material supports. Beyond
            that it is extrapolated, as far as ``LEAST_FAR``.
        speakers, targets, strangers: how many people, targets, and pairs of two people it was
            fitted on.
    """

    constant: float
    of_cosine: float
    of_reliability: float
    of_product: float
    half_s: float
    least: float
    most: float
    stranger_mean: tuple[float, float]
    stranger_spread: tuple[float, float]
    stranger_tail: tuple[tuple[float, float], ...]
    speakers: int = 0
    targets: int = 0
    strangers: int = 0

    def llr(self, cosine: float, speech_s_a: float, speech_s_b: float) -> float:
        """The log-likelihood ratio, natural; ascends with the cosine at any length of speech."""
        reliability = self._reliability(speech_s_a, speech_s_b)
        free = self._intercept(reliability) + self._slope(reliability) * cosine
        return _log_add(free, self.least) - _log_add(0.0, free - self.most)

    def llrs(self, cosines: Floats, speech_s_a: Floats | float, speech_s_b: Floats) -> Floats:
        """``llr`` for many, shapes (n,); ``speech_s_a`` may be one voice's against all others."""
        import numpy as np  # noqa: PLC0415 - see above

        shares = [
            kept_s / (kept_s + self.half_s)
            for kept_s in (np.clip(side, _LEAST_S, _MOST_S) for side in (speech_s_a, speech_s_b))
        ]
        reliability = np.sqrt(shares[0] * shares[1])
        free = self._intercept(reliability) + self._slope(reliability) * cosines
        bounded: Floats = np.logaddexp(free, self.least) - np.logaddexp(0.0, free - self.most)
        return bounded

    def threshold(self, far: float, speech_s_a: float, speech_s_b: float) -> float:
        """The ``llr`` that a share ``far`` of strangers reaches, and at least 0.

        Below 0 the voices speak more for two people than for one, however few strangers come so
        high. A ``far`` below ``LEAST_FAR`` is answered with that of ``LEAST_FAR``.
        """
        reliability = self._reliability(speech_s_a, speech_s_b)
        mean, spread = (
            at_none + gain * reliability
            for at_none, gain in (self.stranger_mean, self.stranger_spread)
        )
        cosine = mean + spread * self._deviations(far)
        return max(0.0, self.llr(cosine, speech_s_a, speech_s_b))

    def _deviations(self, far: float) -> float:
        """How many standard deviations above their mean a share ``far`` of strangers is.

        Between known shares on straight lines between normal deviates, as a DET curve is drawn;
        beyond the last as a normal distribution that is as much wider as it is there.
        """
        from statistics import NormalDist  # noqa: PLC0415 - only who asks waits for it

        normal = NormalDist()
        places = [-normal.inv_cdf(share) for share, _ in self.stranger_tail]
        wanted = -normal.inv_cdf(max(far, LEAST_FAR))
        if wanted >= places[-1]:
            return self.stranger_tail[-1][1] * wanted / places[-1]
        right = max(bisect(places, wanted), 1)
        (_, low), (_, high) = self.stranger_tail[right - 1 : right + 1]
        share = (wanted - places[right - 1]) / (places[right] - places[right - 1])
        return low + share * (high - low)

    def _intercept(self, reliability: Any) -> Any:  # noqa: ANN401 - a number, or an array of them
        return self.constant + self.of_reliability * reliability

    def _slope(self, reliability: Any) -> Any:  # noqa: ANN401
        return self.of_cosine + self.of_product * reliability

    def _reliability(self, speech_s_a: float, speech_s_b: float) -> float:
        return self._share(speech_s_a) * self._share(speech_s_b)

    def _share(self, speech_s: float) -> float:
        kept_s = min(max(speech_s, _LEAST_S), _MOST_S)
        return math.sqrt(kept_s / (kept_s + self.half_s))


FORMAT = "speaker-sidecar calibration 1"


def find_calibration(fingerprint: str, file: Path | None = None) -> Calibration | None:
    """What belongs to the model with this fingerprint: in a file, or built in; None: nothing does.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no calibration, or one of another model.
    """
    if file is None:
        numbers = BUILT_IN.get(fingerprint)
        return None if numbers is None else read_numbers(numbers)
    made_for, calibration = read_calibration(file)
    if made_for != fingerprint:
        raise ValueError(
            f"{file} is for {made_for:.100}, and the model that serves is {fingerprint}"
        )
    return calibration


def read_calibration(file: Path) -> tuple[str, Calibration]:
    """The fingerprint of the model that ``file`` is for, and what belongs to it.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no calibration.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no calibration: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{file} is no calibration: it has no {FORMAT!r} as its format")
    try:
        return str(found.get("fingerprint")), read_numbers(found)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is no calibration: {error!r}") from error


def write_calibration(calibration: Calibration, fingerprint: str, file: Path) -> None:
    """Write what ``find_calibration`` reads; raises ``OSError``."""
    content = {"format": FORMAT, "fingerprint": fingerprint, **asdict(calibration)}
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def read_numbers(numbers: Mapping[str, Any]) -> Calibration:
    """A calibration from its fields; more than them are let pass.

    Raises:
        KeyError, TypeError, ValueError: one is missing, or is not what it has to be.
    """
    reals = {name: float(numbers[name]) for name in _REALS}
    counts = {name: int(numbers[name]) for name in _COUNTS}
    pairs = {}
    for name in _PAIRS:
        at_none, gain = numbers[name]
        pairs[name] = float(at_none), float(gain)
    tail = tuple(
        (float(share), float(deviations)) for share, deviations in numbers["stranger_tail"]
    )
    fields: dict[str, Any] = {**reals, **counts, **pairs, "stranger_tail": tail}
    calibration = Calibration(**fields)
    _check(calibration)
    return calibration


_REALS = ("constant", "of_cosine", "of_reliability", "of_product", "half_s", "least", "most")
_PAIRS = ("stranger_mean", "stranger_spread")
_COUNTS = ("speakers", "targets", "strangers")


def _check(calibration: Calibration) -> None:
    """Raise ``ValueError`` for what would not ascend, or is not finite."""
    numbers = [getattr(calibration, name) for name in _REALS]
    numbers += calibration.stranger_mean + calibration.stranger_spread
    tail = calibration.stranger_tail
    numbers += [number for pair in tail for number in pair]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("a number is not finite")
    if min(calibration.of_cosine, calibration.of_cosine + calibration.of_product) <= 0:
        raise ValueError("the ratio must ascend with the cosine")
    if min(calibration.stranger_spread[0], sum(calibration.stranger_spread)) <= 0:
        raise ValueError("strangers must have a spread")
    if not (calibration.half_s > 0 and calibration.least <= 0 <= calibration.most):
        raise ValueError("half_s must be above 0, and 0 between least and most")
    shares, deviations = zip(*tail, strict=True)
    if len(tail) < _MIN_TAIL or not all(0 < share < 1 for share in shares):
        raise ValueError("the tail needs two shares between 0 and 1")
    if shares[-1] >= _HALF or deviations[-1] <= 0:
        raise ValueError("the tail must end above the middle")
    for descending in (shares, [-number for number in deviations]):
        if sorted(descending, reverse=True) != [*descending]:
            raise ValueError("the tail's shares must descend, and its deviations ascend")


def _log_add(a: float, b: float) -> float:
    """``ln(e^a + e^b)``, for any two."""
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))
