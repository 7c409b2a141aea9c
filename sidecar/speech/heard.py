"""What was heard of one whole audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protocol.quality import Quality
from sidecar.audio.waveform import Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.speech.around_speech import around_speech
from sidecar.speech.quality import measure
from sidecar.speech.segments import STEP_SAMPLES, Segment, count_samples


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """An audio, and the ``segments`` of speech in it; None: nobody has listened."""

    waveform: Waveform
    segments: Sequence[Segment] | None

    @property
    def speech_s(self) -> float | None:
        """How many seconds somebody speaks."""
        if self.segments is None:
            return None
        return count_samples(self.segments) / SAMPLE_RATE_HZ

    @property
    def quality(self) -> Quality:
        """That of the whole audio."""
        waveform = self.waveform
        return measure(waveform.samples, self._is_speech(), waveform.stereo, speech_s=self.speech_s)

    def speech(self) -> Waveform:
        """The speech, and what surrounds it closely."""
        assert self.segments
        return replace(self.waveform, samples=around_speech(self.waveform.samples, self.segments))

    def _is_speech(self) -> NDArray[np.bool_] | None:
        """For each step whether its middle lies in a segment."""
        if self.segments is None:
            return None
        n_steps = -(-self.waveform.n_samples // STEP_SAMPLES)
        is_speech = np.zeros(n_steps, np.bool_)
        for start, end in self.segments:
            first, behind = ((at + STEP_SAMPLES // 2) // STEP_SAMPLES for at in (start, end))
            is_speech[first:behind] = True
        return is_speech
