"""What a voice is to the gallery: an embedding, and how much speech it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.errors import InvalidParams
from protocol.params import StoredEmbedding

Vector: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Voice:
    """One audio's embedding, shape (dim,), of any length but 0.

    ``speech_s``: seconds of speech it was made of; None: that is not known.
    """

    embedding: Vector
    speech_s: float | None
    fingerprint: str

    @classmethod
    def kept(cls, stored: StoredEmbedding) -> Voice:
        """What a host kept of an earlier answer."""
        values = np.frombuffer(stored.embedding, "<f4").astype(np.float32)
        return cls(values, stored.speech_s, stored.fingerprint)

    @property
    def unit(self) -> Vector:
        """The embedding, of length 1; raises ``InvalidParams`` where it has no direction."""
        # The length of large numbers, and of tiny ones, is no float32.
        values = self.embedding.astype(np.float64)
        length = float(np.linalg.norm(values))
        if not 0 < length < np.inf:
            raise InvalidParams("an embedding must hold finite numbers, and not zeros alone")
        return (values / length).astype(np.float32)
