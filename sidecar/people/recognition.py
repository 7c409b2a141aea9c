"""What cosines mean here: the one place that asks ``sidecar.scores``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.quality import NEEDED_SPEECH_S
from protocol.reports import AudioWarning
from sidecar.people import told
from sidecar.people.print_matrix import Nearest
from sidecar.scores.calibration import Calibration
from sidecar.scores.decision import Decision, OperatingPoint, decide, decide_among

# Without a calibration: from here on two audios count as one voice when a person is enrolled, and
# as that of somebody else who is there. docs/people.md has the measurements.
ALIKE_COSINE, SOUNDS_LIKE_COSINE = 0.35, 0.55
# What is surely somebody's is so even if only this share of the strangers were let pass, or if it
# were so many times less probable beforehand.
_SURE_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """With n people, whose numbers ``nearest`` has; arrays of shape (n,).

    Without a calibration, all but ``nearest`` and ``order`` are None.

    Attributes:
        best: the place of the person it is; None: nobody, or it cannot be told.
        is_sure: whether it would be that person, and nobody else, at a far stricter point too.
    """

    nearest: Nearest
    llrs: NDArray[np.float64] | None = None
    probabilities: NDArray[np.float64] | None = None
    best: int | None = None
    is_sure: bool = False
    threshold: float | None = None
    at: str | None = None

    def order(self, top: int) -> list[int]:
        """The places of the ``top`` most alike people, the most alike first."""
        cosines = self.nearest.cosines
        keys = cosines if self.llrs is None else self.llrs
        places = np.argpartition(-keys, top)[:top] if top < len(keys) else np.arange(len(keys))
        ranked: list[int] = places[np.lexsort((-cosines[places], -keys[places]))].tolist()
        if self.best is not None:  # of several whose ratios are at their bound, the one decided on
            ranked = [self.best, *(place for place in ranked if place != self.best)][:top]
        return ranked


@dataclass(frozen=True, slots=True)
class Recognition:
    """Decides by a model's calibration; None: there is none for it."""

    calibration: Calibration | None

    def is_alike(self, cosine: float, speech_s_a: float, speech_s_b: float) -> bool:
        """Whether two audios, said to be one person's, are more like that than like two people."""
        if self.calibration is None:
            return cosine >= ALIKE_COSINE
        return self.calibration.llr(cosine, speech_s_a, speech_s_b) >= 0

    def warnings(self, speech_s: float | None) -> Sequence[AudioWarning]:
        """Why nothing but cosines can be told, if that is so."""
        return told.not_told(speech_s, is_calibrated=self.calibration is not None)

    def decide(
        self, cosine: float, speech_s_a: float | None, speech_s_b: float, point: OperatingPoint
    ) -> Decision | None:
        """What a cosine says; None: that cannot be told."""
        if self.calibration is None or speech_s_a is None or speech_s_a < NEEDED_SPEECH_S:
            return None
        return decide(self.calibration, cosine, speech_s_a, speech_s_b, point)

    def with_adapted(self, nearest: Nearest, speech_s: float | None) -> Nearest:
        """With the adapted prints in place of enrolled ones that are less alike.

        But only of people whose voice it rather is than not by what was enrolled alone: so however
        far a print was led away, nobody is known by it who is not like the person.
        """
        adapted = nearest.adapted
        if adapted is None or not len(adapted.people):
            return nearest
        places = np.searchsorted(nearest.people, adapted.people)
        enrolled, enrolled_s = nearest.cosines[places], nearest.speech_s[places]
        if self.calibration is None or speech_s is None:
            is_alike = enrolled >= ALIKE_COSINE
        else:
            is_alike = self.calibration.llrs(enrolled, speech_s, enrolled_s) >= 0
        chosen = is_alike & (adapted.cosines > enrolled)
        cosines, seconds = nearest.cosines.copy(), nearest.speech_s.copy()
        cosines[places[chosen]] = adapted.cosines[chosen]
        seconds[places[chosen]] = adapted.speech_s[chosen]
        return Nearest(nearest.people, cosines, seconds)

    def compare(
        self, nearest: Nearest, speech_s: float | None, point: OperatingPoint
    ) -> Comparison:
        """Whose voice it is, of ``speech_s`` of speech."""
        calibration = self.calibration
        if calibration is None or speech_s is None or speech_s < NEEDED_SPEECH_S:
            return Comparison(nearest)
        found = decide_among(calibration, nearest.cosines, nearest.speech_s, speech_s, point)
        is_sure = False
        if found.best is not None:
            print_s = float(nearest.speech_s[found.best])
            strict = point.stricter(_SURE_SHARE).threshold(
                calibration, speech_s, print_s, len(found.llrs)
            )
            n_possible = np.count_nonzero(found.llrs >= found.threshold)
            # Whatever the host takes for probable: never what speaks for two people.
            is_sure = bool(n_possible == 1 and found.llrs[found.best] >= max(0.0, strict))
        return Comparison(
            nearest,
            found.llrs,
            found.probabilities,
            found.best,
            is_sure,
            found.threshold,
            found.at,
        )

    def sounds_like(self, nearest: Nearest, speech_s: float) -> int | None:
        """The number of the person whose voice it could be, at the default point."""
        if not len(nearest.people):
            return None
        if self.calibration is None:
            first = int(np.argmax(nearest.cosines))
            best = first if nearest.cosines[first] >= SOUNDS_LIKE_COSINE else None
        else:
            best = self.compare(nearest, speech_s, OperatingPoint()).best
        return None if best is None else int(nearest.people[best])
