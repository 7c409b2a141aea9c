"""Where the windows of ``embed_windows`` lie."""

from __future__ import annotations

import math


def plan_windows(n_samples: int, window_samples: int, hop_samples: int) -> list[tuple[int, int]]:
    """The windows of an audio, as (start, end) in samples; the first one starts at 0.

    A window starts every ``hop_samples`` until one reaches the end of the audio, and is cut there.
    If that leaves the last one shorter than half a window, its start moves back until it is whole,
    or to 0. So no sample is left out, unless the hop is longer than the window, and no window but
    an only one is shorter than half.
    """
    n_windows = 1 + max(0, math.ceil((n_samples - window_samples) / hop_samples))
    starts = [index * hop_samples for index in range(n_windows)]
    if n_windows > 1 and starts[-1] >= n_samples:  # a hop longer than the window stepped over it
        starts.pop()
    if n_samples - starts[-1] < window_samples / 2:
        starts[-1] = max(0, n_samples - window_samples)
    return [(start, min(start + window_samples, n_samples)) for start in starts]


def max_windowed_samples(window_samples: int, hop_samples: int, max_windows: int) -> int:
    """The longest audio that has at most ``max_windows`` windows."""
    return window_samples + hop_samples * (max_windows - 1)
