"""How alike two voices are, and what that means; without numpy, for which nobody waits here."""

from __future__ import annotations

import contextlib
import functools
import math
import struct
from pathlib import Path

from protocol.errors import IncompatibleEmbeddings, InvalidParams, ModelUnavailable
from protocol.params import StoredEmbedding
from protocol.quality import NEEDED_SPEECH_S
from protocol.reports import ScoreResult
from sidecar.scores.calibration import Calibration, find_calibration, read_calibration
from sidecar.scores.decision import OperatingPoint, decide

_DEFAULT = OperatingPoint()


class Calibrations:
    """What a cosine means, by the fingerprint of its embeddings.

    Args:
        file: what ``calibrate`` wrote for one model; the others have those that are built in.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        # Read here, and not when a score is asked for: the reader's thread has the lock then.
        self._in_file: dict[str, Calibration] = {}
        if file is not None:
            with contextlib.suppress(OSError, ValueError):  # ``require`` tells of it
                fingerprint, calibration = read_calibration(file)
                self._in_file[fingerprint] = calibration
        self.of = functools.lru_cache(maxsize=16)(self._of)

    def require(self, fingerprint: str) -> None:
        """See that the file, if there is one, is for the model that serves.

        Raises:
            ModelUnavailable: it is not, or cannot be read.
        """
        try:
            find_calibration(fingerprint, self._file)
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"--calibration: {error}", "not_readable") from error

    def _of(self, fingerprint: str) -> Calibration | None:
        return self._in_file.get(fingerprint) or find_calibration(fingerprint)


def score(
    a: StoredEmbedding,
    b: StoredEmbedding,
    point: OperatingPoint = _DEFAULT,
    calibration: Calibration | None = None,
) -> ScoreResult:
    """Cosine similarity, a.b / (|a| |b|), and what it means at ``point``, where that can be told.

    Raises:
        IncompatibleEmbeddings: the fingerprints or lengths differ.
        InvalidParams: one is all zeros or not finite.
    """
    if a.fingerprint != b.fingerprint or len(a.embedding) != len(b.embedding):
        raise IncompatibleEmbeddings(
            f"embeddings of {a.fingerprint!r:.100} and {b.fingerprint!r:.100} cannot be compared: "
            "embed both audios with the same model",
            a=a.fingerprint[:100],
            b=b.fingerprint[:100],
        )
    x, y = (struct.unpack(f"<{len(v.embedding) // 4}f", v.embedding) for v in (a, b))
    norms = math.hypot(*x) * math.hypot(*y)
    if not 0 < norms < math.inf:
        raise InvalidParams("an embedding is all zeros or not finite: it has no direction")
    cosine = math.fsum(p * q for p, q in zip(x, y, strict=True)) / norms
    cosine = max(-1.0, min(1.0, cosine))
    if calibration is None or a.speech_s is None or b.speech_s is None:
        return ScoreResult(cosine, a.fingerprint)
    if min(a.speech_s, b.speech_s) < NEEDED_SPEECH_S:
        return ScoreResult(cosine, a.fingerprint)
    told = decide(calibration, cosine, a.speech_s, b.speech_s, point)
    return ScoreResult(
        cosine,
        a.fingerprint,
        llr=told.llr,
        probability=told.probability,
        same=told.same,
        threshold=told.threshold,
        at=told.at,
    )
