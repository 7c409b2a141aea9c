"""What decoding makes of audio: waveforms of one kind for every network. Imports no numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from protocol.errors import BadAudio
from protocol.quality import Quality, SpeechResult
from protocol.reports import AudioWarning, ProbeResult
from sidecar.config import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Stereo:
    """What two channels have in common: the sums of their products and of their squares."""

    left_right: float
    left_left: float
    right_right: float

    @property
    def correlation(self) -> float | None:
        """-1 to 1: above 0 where they agree; None where one is silent."""
        power = math.sqrt(self.left_left) * math.sqrt(self.right_right)
        return max(-1.0, min(1.0, self.left_right / power)) if power > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Audio that is ready for a network.

    Attributes:
        samples: mono, 16 kHz, float32, shape (n_samples,); full scale is 1.0, and more is not
            clipped. Contiguous and writable: torch takes it without a copy.
        start_sample: where in its audio, cropped, it begins.
        stereo: of the two channels of which it was mixed.
        warnings: what was odd about mixing it.
    """

    samples: NDArray[np.float32]
    start_sample: int = 0
    stereo: Stereo | None = None
    warnings: tuple[AudioWarning, ...] = ()

    @property
    def n_samples(self) -> int:
        """How many samples it has."""
        return len(self.samples)

    @property
    def duration_s(self) -> float:
        """The duration in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Part:
    """One of the waveforms that were asked for, or why there is none.

    Attributes:
        index: its place among them: a window's or a segment's number, 0 where there is one.
    """

    index: int
    waveform: Waveform | BadAudio


class Activity(Protocol):
    """Who was heard when, so far: in the first ``n_samples`` of the audio."""

    n_samples: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one step of decoding an audio has brought.

    Attributes:
        part: one that is complete now; None: the step has completed none.
        held_bytes: the memory that is held for those that are not complete.
        n_parts: how many there will be in all, as far as the header tells; None: not known.
        is_last: nothing more comes.
        is_cut: all parts have come; what still comes tells of the audio.
        warnings: what is odd about the audio, as far as it was read.
        quality: of the whole audio, once it is known.
        told: what was asked for, if that was not to embed it.
        duration_s: of the audio, as far as its header tells.
        activity: who was heard when, if that was asked for; it grows from step to step.
        until: nothing can be done of it before this holds; None: all can.
    """

    part: Part | None
    held_bytes: int = 0
    n_parts: int | None = None
    is_last: bool = False
    is_cut: bool = False
    warnings: tuple[AudioWarning, ...] = ()
    quality: Quality | None = None
    told: ProbeResult | SpeechResult | None = None
    duration_s: float | None = None
    activity: Activity | None = None
    until: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class DurationLimits:
    """The shortest and the longest audio that is accepted, in seconds, both included."""

    min_s: float
    max_s: float
