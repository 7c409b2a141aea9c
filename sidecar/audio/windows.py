"""The windows of ``embed_windows``: where they lie, and how they are cut from a stream."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from sidecar.audio.channels import mix
from sidecar.audio.resampling import FloatArray
from sidecar.audio.sample_buffer import SampleBuffer
from sidecar.audio.waveform import Decoded, Part


def count_windows(n_samples: int, window_samples: int, hop_samples: int) -> int:
    """How many windows an audio has.

    A window starts every ``hop_samples`` from 0 on until one reaches the end of the audio.
    """
    n_windows = 1 + max(0, math.ceil((n_samples - window_samples) / hop_samples))
    # A hop longer than the window may step over the end.
    return n_windows - (n_windows > 1 and (n_windows - 1) * hop_samples >= n_samples)


def last_window(n_samples: int, window_samples: int, hop_samples: int) -> tuple[int, int]:
    """The last window of an audio, as (start, end) in samples.

    It is cut at the audio's end. If that leaves it shorter than half a window, its start moves back
    until it is whole, or to 0. So no sample is left out, unless the hop is longer than the window,
    and no window but an only one is shorter than half.
    """
    start = (count_windows(n_samples, window_samples, hop_samples) - 1) * hop_samples
    if n_samples - start < window_samples / 2:
        start = max(0, n_samples - window_samples)
    return start, min(start + window_samples, n_samples)


def max_windowed_samples(window_samples: int, hop_samples: int, max_windows: int) -> int:
    """The longest audio that has at most ``max_windows`` windows."""
    return window_samples + hop_samples * (max_windows - 1)


def cut_windows(
    blocks: Iterable[FloatArray],
    channels: int,
    window_samples: int,
    hop_samples: int,
    n_stated: int | None,
) -> Iterator[Decoded]:
    """The windows of the audio that ``blocks`` are, each (n_samples, channels) at 16 kHz.

    Args:
        blocks: the audio.
        channels: one, or two that are mixed window by window.
        window_samples: how long a window is.
        hop_samples: from one window's start to the next one's.
        n_stated: how many samples there will be, by the audio's header.
    """
    n_parts = None
    if n_stated is not None:
        n_parts = count_windows(n_stated, window_samples, hop_samples)
    samples = SampleBuffer(channels)
    n_cut = 0
    for block in blocks:
        samples.append(block)
        # One that is whole stays as it is, whatever follows.
        while (start := n_cut * hop_samples) + window_samples <= samples.end:
            window = _window(samples, n_cut, start, start + window_samples)
            yield Decoded(window, samples.n_bytes, n_parts)
            n_cut += 1
        # The last one may begin before the next one's start.
        samples.drop_before(min(n_cut * hop_samples, samples.end - window_samples))
        yield Decoded(None, samples.n_bytes, n_parts)
    n_parts = count_windows(samples.end, window_samples, hop_samples)
    last = last_window(samples.end, window_samples, hop_samples)
    rest = _window(samples, n_cut, *last) if n_cut < n_parts else None
    yield Decoded(rest, 0, n_parts, is_last=True)


def _window(samples: SampleBuffer, index: int, start: int, end: int) -> Part:
    return Part(index, mix(samples.copy(start, end), start))
