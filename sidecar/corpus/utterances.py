"""What goes into an embedder, and what comes out of it. Imports no pyarrow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.quality import Quality

FloatArray = NDArray[np.float32]
# Start and end in seconds of the recording.
Turn = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Listed:
    """One utterance or recording, as a source lists it.

    Attributes:
        id: it names it among all of the source.
        path: of a file on this machine, or a URI.
        start_s, end_s: which part of the file it is; None: from its beginning, to its end.
        speaker: the label that it has, if it has one.
    """

    id: str
    path: str
    start_s: float | None = None
    end_s: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """One voice of what was ``listed``.

    Attributes:
        voice: which one of a long recording, such as ``S1``; None: it is an utterance.
        start_s, end_s: from where to where in the file; of a voice, its first and its last turn.
        turns: of a voice, all of them.
        duration_s: of what was decoded for it.
        embedding: float32, shape (dim,), of length 1.
        speech_s: for how long somebody speaks; of a voice, that one.
        quality: of an utterance.
    """

    listed: Listed
    voice: str | None
    start_s: float
    end_s: float
    turns: tuple[Turn, ...]
    duration_s: float
    embedding: FloatArray
    speech_s: float | None
    quality: Quality | None

    @property
    def id(self) -> str:
        """It names it among all that was embedded."""
        return self.listed.id if self.voice is None else f"{self.listed.id}#{self.voice}"


@dataclass(frozen=True, slots=True)
class Failed:
    """What was ``listed`` has no embedding; ``kind`` and ``message`` are the error's."""

    listed: Listed
    kind: str
    message: str
