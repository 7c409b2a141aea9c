"""One audio on its way through the detector, in pieces of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from sidecar.audio.resampling import FloatArray
from sidecar.speech.segments import STEP_SAMPLES

# What a step sees of the one before it, in samples: 4 ms.
CONTEXT_SAMPLES = 64
# The network's memory between two steps: of each of its two parts, shape (1, 1, 128).
Memory: TypeAlias = tuple[FloatArray, FloatArray]
# From steps, shape (n_steps, CONTEXT_SAMPLES + STEP_SAMPLES), to probabilities, shape (n_steps,).
Judge: TypeAlias = Callable[[FloatArray, Memory], tuple[FloatArray, Memory]]

_MEMORY_SHAPE = (1, 1, 128)
_NOTHING: FloatArray = np.empty(0, np.float32)


class Listening:
    """Feeds one audio to ``judge``, and keeps what it has to remember: a few hundred samples."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._memory: Memory = (np.zeros(_MEMORY_SHAPE, np.float32),) * 2
        # The end of the last step, and what has come of the next one.
        self._held: FloatArray = np.zeros(CONTEXT_SAMPLES, np.float32)

    def feed(self, samples: FloatArray) -> FloatArray:
        """The probabilities of speech in the steps that are whole now, shape (n_steps,).

        ``samples``: what comes next, mono, 16 kHz, shape (n_samples,).
        """
        return self._judged(np.concatenate((self._held, samples)))

    def finish(self, samples: FloatArray = _NOTHING) -> FloatArray:
        """The probabilities of what is left and of ``samples`` behind it, up to the last step.

        Silence fills that up.
        """
        n_left = len(self._held) - CONTEXT_SAMPLES + len(samples)
        silence = np.zeros(-n_left % STEP_SAMPLES, np.float32)
        return self._judged(np.concatenate((self._held, samples, silence)))

    def _judged(self, held: FloatArray) -> FloatArray:
        n_steps = (len(held) - CONTEXT_SAMPLES) // STEP_SAMPLES
        self._held = held[n_steps * STEP_SAMPLES :].copy()
        if n_steps == 0:
            return _NOTHING
        # A view: each step, and the end of the one before it.
        shape, step_bytes = (n_steps, CONTEXT_SAMPLES + STEP_SAMPLES), STEP_SAMPLES * held.itemsize
        steps = np.ndarray(shape, held.dtype, held, strides=(step_bytes, held.itemsize))
        probabilities, self._memory = self._judge(steps, self._memory)
        return probabilities
