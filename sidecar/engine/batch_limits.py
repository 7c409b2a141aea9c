"""What one batch may be, which the device decides: pure.

A batch is padded to its longest utterance, so it costs longest x count, whatever is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.config import SAMPLE_RATE_HZ

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one batch may be; they belong to the device.

    Args:
        max_items: how many utterances.
        max_padded_samples: longest x count. An utterance alone may be longer than that.
        min_likeness: how long an utterance must be, as a share of the oldest one's length, or the
            oldest one as a share of its, to join it.
        grid_samples: the longest is padded to a multiple of that.
        grid_steps: if not 0, the grid is twice as wide beyond twice so many steps, and again beyond
            twice that: so many lengths in each octave, however long the audio.
    """

    max_items: int
    max_padded_samples: int
    min_likeness: float
    grid_samples: int = 1
    grid_steps: int = 0

    def padded_samples(self, longest: int) -> int:
        """To what a batch is padded whose longest utterance has ``longest`` samples."""
        step = self.grid_samples
        while self.grid_steps and longest > 2 * self.grid_steps * step:
            step *= 2
        return -(-longest // step) * step


ONE_BY_ONE = BatchLimits(max_items=1, max_padded_samples=0, min_likeness=1.0)

# torch on one core of a Zen 4: eight utterances of half a second take half to four fifths of their
# time together, four of one second two thirds to nine tenths; from two seconds on nothing is won,
# and padding is paid in full.
TORCH_CPU_LIMITS = BatchLimits(max_items=8, max_padded_samples=4 * SAMPLE_RATE_HZ, min_likeness=0.9)

# Free GPU memory, and how many seconds a batch may be padded to. The larger network holds some 7 MB
# for each, so that a batch takes less than half of what is free.
_CUDA_BUDGETS = ((8 * _GIB, 480), (4 * _GIB, 240), (2 * _GIB, 120), (1 * _GIB, 60), (0, 20))


# On CUDA each new shape costs a choice of kernels for each layer, which is then kept. Padded to
# half a second, an utterance of up to two minutes is of one of 240 lengths.
_CUDA_GRID_SAMPLES = SAMPLE_RATE_HZ // 2


def cuda_limits(free_bytes: int) -> BatchLimits:
    """The limits of a GPU with ``free_bytes`` to spare once the model is loaded."""
    budget_s = next(seconds for at_least, seconds in _CUDA_BUDGETS if free_bytes >= at_least)
    return BatchLimits(
        max_items=64,
        max_padded_samples=budget_s * SAMPLE_RATE_HZ,
        min_likeness=0.7,
        grid_samples=_CUDA_GRID_SAMPLES,
    )
