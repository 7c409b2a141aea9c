"""A request's audio to waveforms as the networks take them: mono, 16 kHz, float32."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import soxr

from protocol.errors import InvalidParams
from protocol.params import Audio, EmbedWindowsParams, Params
from sidecar.audio.crop import read_crop, select
from sidecar.audio.sources import FloatArray, open_source
from sidecar.audio.waveform import DurationLimits, Waveform
from sidecar.audio.window_plan import max_windowed_samples, plan_windows
from sidecar.config import SAMPLE_RATE_HZ, PathRoot

DECODE_TIMEOUT_S = 30.0
# Audio for windows may be longer than a network's, but it is held in memory whole.
MAX_WINDOWED_S = 1800.0


class Decoder:
    """Decodes as one model and the options of ``serve`` ask.

    Args:
        limits: what the network takes.
        path_root: which paths may be named.
        max_windows: of one request.
    """

    def __init__(self, limits: DurationLimits, path_root: PathRoot, max_windows: int) -> None:
        self._limits = limits
        self._path_root = path_root
        self._max_windows = max_windows

    def decode(
        self, audio: Audio, params: Params, is_given_up: Callable[[], bool] = lambda: False
    ) -> Sequence[Waveform]:
        """The waveform of ``audio``, or its windows where ``params`` ask for them.

        ``is_given_up`` is asked between a file's blocks; once it is True, this ends with some
        ``BadAudio``.

        Raises:
            BadAudio: the audio cannot be used.
            InvalidParams: the model cannot take windows of that length.
        """
        if isinstance(params, EmbedWindowsParams):
            return self._decode_windows(audio, params, is_given_up)
        return [self._decode(audio, self._limits, is_given_up)]

    def _decode(
        self, audio: Audio, limits: DurationLimits, is_given_up: Callable[[], bool]
    ) -> Waveform:
        return decode(audio, limits=limits, path_root=self._path_root, is_given_up=is_given_up)

    def _decode_windows(
        self, audio: Audio, params: EmbedWindowsParams, is_given_up: Callable[[], bool]
    ) -> list[Waveform]:
        limits = self._limits
        # Half a window is the shortest that occurs, see ``plan_windows``.
        if not 2 * limits.min_s <= params.window_s <= limits.max_s:
            raise InvalidParams(
                f"window_s must be {2 * limits.min_s:g} to {limits.max_s:g}, "
                f"but is {params.window_s:g}",
                min_window_s=2 * limits.min_s,
                max_window_s=limits.max_s,
            )
        window_samples = round(params.window_s * SAMPLE_RATE_HZ)
        hop_samples = max(1, round(params.hop_s * SAMPLE_RATE_HZ))
        max_samples = max_windowed_samples(window_samples, hop_samples, self._max_windows)
        max_s = min(MAX_WINDOWED_S, math.floor(1000 * max_samples / SAMPLE_RATE_HZ) / 1000)
        whole = self._decode(audio, DurationLimits(limits.min_s, max_s), is_given_up).samples
        # Windows that overlap share the audio's memory; sparse ones would hold what lies between.
        is_sparse = hop_samples > window_samples
        return [
            Waveform(whole[start:end].copy() if is_sparse else whole[start:end], start)
            for start, end in plan_windows(len(whole), window_samples, hop_samples)
        ]


def decode(
    audio: Audio,
    *,
    limits: DurationLimits,
    path_root: PathRoot,
    clock: Callable[[], float] = time.monotonic,
    is_given_up: Callable[[], bool] = lambda: False,
) -> Waveform:
    """Decode ``audio``, crop it to its ``start_s`` and ``end_s``, mix it to mono, resample it.

    All of that block by block: what was cropped away, or has another rate, is never held whole.

    Args:
        audio: raw samples, the bytes of a file, or its path.
        limits: of the duration after cropping.
        path_root: which paths may be named.
        clock: in seconds; decoding is given up after ``DECODE_TIMEOUT_S``.
        is_given_up: whether nobody wants it any more; asked between a file's blocks.

    Raises:
        BadAudio: the audio cannot be used; ``kind`` tells why.
    """
    crop = read_crop(audio)
    deadline_s = clock() + DECODE_TIMEOUT_S
    with open_source(audio, path_root, lambda: clock() > deadline_s or is_given_up()) as source:
        blocks = _resample(select(source, crop, limits), source.sample_rate_hz)
        return Waveform(np.concatenate(list(blocks)))


def _resample(blocks: Iterable[FloatArray], rate_hz: int) -> Iterator[FloatArray]:
    """The blocks, each (n_samples,), at 16 kHz: sample for sample what they give in one piece."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
