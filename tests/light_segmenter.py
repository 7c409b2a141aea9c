"""A segmenter that hears speakers by how loud they are, and needs no network.

Environment:
    LIGHT_SEGMENTER: what becomes of it instead; see ``light_detector``.
    LIGHT_HEAR_GATE: a file that each chunk after the first waits for.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from light_detector import LOUD, open_light

FRAMES, FRAME_SAMPLES = 589, 270
LOUDER, LOUDEST = 0.1, 0.5
NOBODY, FIRST, SECOND, BOTH = 0, 1, 2, 4


class LightSegmenter:
    def __init__(self):
        self.n_heard = 0

    def hear(self, chunk):
        self.n_heard += 1
        gate = os.environ.get("LIGHT_HEAR_GATE")
        while gate and self.n_heard > 1 and not Path(gate).exists():
            time.sleep(0.002)
        padded = np.zeros(160_000, np.float32)
        padded[: len(chunk)] = chunk
        starts = np.arange(FRAMES) * FRAME_SAMPLES + 360
        sums = np.concatenate(([0.0], np.cumsum(np.abs(padded), dtype=np.float64)))
        levels = (sums[starts + FRAME_SAMPLES] - sums[starts]) / FRAME_SAMPLES
        classes = np.select(
            [levels < LOUD, levels < LOUDER, levels < LOUDEST], [NOBODY, FIRST, SECOND], BOTH
        )
        probabilities = np.full((FRAMES, 7), 1e-4, np.float32)
        probabilities[np.arange(FRAMES), classes] = 1 - 6e-4
        return np.log(probabilities)


def open_light_segmenter(before_fetch, should_stop, on_progress):
    return open_light(LightSegmenter, "LIGHT_SEGMENTER", before_fetch, should_stop)
