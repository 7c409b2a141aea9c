"""What a stream should be like, whatever was done to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from unit.played_streams import RATE_HZ

from protocol.errors import SidecarError
from sidecar.diarization.hop import HOP_S

MOST_S, MOST_BYTES, STEP_S = 30.0, 16 * 2**20, 2.0
PERIOD = 2 * 2**16
SOUND = np.arange((PERIOD + MOST_BYTES) // 2).astype("<u2").tobytes()


def sound(at, n_bytes):
    """Samples that tell where they are from; zeros behind more than is ever taken."""
    return SOUND[at % PERIOD :][:n_bytes].ljust(n_bytes, b"\0")


@dataclass(eq=False)
class ModelStream:
    """One stream; ``taken`` of its bytes are in steps, ``heard`` are done with."""

    name: str
    frame_bytes: int
    pushed: int = 0
    taken: int = 0
    heard: int = 0
    step_bytes: int = 0
    close: int | None = None
    error: SidecarError | None = None
    steps: list = field(default_factory=list)

    def seconds(self, n_bytes):
        return n_bytes / self.frame_bytes / RATE_HZ

    def is_too_much(self, n_bytes):
        return n_bytes > MOST_BYTES or self.seconds(n_bytes) > MOST_S

    def step(self, least_s=HOP_S):
        """One is begun, if there is enough for one, and none is under way."""
        pending = self.pushed - self.taken
        if self.step_bytes or self.close is not None or self.error is not None:
            return
        if pending and self.seconds(pending) >= least_s:
            self.step_bytes = min(pending, round(STEP_S * RATE_HZ) * self.frame_bytes)
            self.take(self.step_bytes)

    def take(self, n_bytes):
        self.steps.append(sound(self.taken, n_bytes))
        self.taken += n_bytes
