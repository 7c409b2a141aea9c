"""A detector that takes for speech what is loud, and needs no network; it is there at once.

Environment:
    LIGHT_DETECTOR: what becomes of it instead: ``gate:FILE``, it is fetched, which takes until
        there is that file; or ``no:KIND``, it cannot be had.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from protocol.errors import ModelUnavailable
from sidecar.speech.listening import CONTEXT_SAMPLES, Listening

# The mean of the absolute samples of a step.
LOUD = 0.01


class LightDetector:
    def listen(self):
        return Listening(self.judge)

    def judge(self, frames, memory):
        is_loud = np.abs(frames[:, CONTEXT_SAMPLES:]).mean(axis=1) > LOUD
        return is_loud.astype(np.float32), memory


def open_light_detector(before_fetch, should_stop, on_progress):
    return open_light(LightDetector, "LIGHT_DETECTOR", before_fetch, should_stop)


def open_light(network, variable, before_fetch, should_stop):
    what, _, which = os.environ.get(variable, "").partition(":")
    if what == "no":
        raise ModelUnavailable("no network, as the test asked", which)
    if what == "gate":
        before_fetch()
        while not Path(which).exists():
            if should_stop():
                raise ModelUnavailable("stopped", "stopped")
            time.sleep(0.002)
    return network()
