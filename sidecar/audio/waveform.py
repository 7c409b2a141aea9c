"""What decoding makes of audio: one kind of waveform for every network. Imports no numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidecar.config import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Audio that is ready for a network.

    Attributes:
        samples: mono, 16 kHz, float32, shape (n_samples,); full scale is 1.0, and more is not
            clipped. Contiguous and writable: torch takes it without a copy. Windows of one audio
            that overlap share its memory.
        start_sample: where in its audio, cropped, it begins.
    """

    samples: NDArray[np.float32]
    start_sample: int = 0

    @property
    def n_samples(self) -> int:
        """How many samples it has."""
        return len(self.samples)

    @property
    def duration_s(self) -> float:
        """The duration in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class DurationLimits:
    """The shortest and the longest audio that is accepted, in seconds, both included."""

    min_s: float
    max_s: float
