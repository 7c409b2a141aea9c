"""What decoding makes of audio: waveforms of one kind for every network. Imports no numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import BadAudio
from sidecar.config import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Audio that is ready for a network.

    Attributes:
        samples: mono, 16 kHz, float32, shape (n_samples,); full scale is 1.0, and more is not
            clipped. Contiguous and writable: torch takes it without a copy.
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
class Part:
    """One of the waveforms that were asked for, or why there is none.

    Attributes:
        index: its place among them: a window's or a segment's number, 0 where there is one.
    """

    index: int
    waveform: Waveform | BadAudio


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one step of decoding an audio has brought.

    Attributes:
        part: one that is complete now; None: the step has completed none.
        held_bytes: the memory that is held for those that are not complete.
        n_parts: how many there will be in all, as far as the header tells; None: not known.
        is_last: nothing more comes.
    """

    part: Part | None
    held_bytes: int = 0
    n_parts: int | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class DurationLimits:
    """The shortest and the longest audio that is accepted, in seconds, both included."""

    min_s: float
    max_s: float
