"""A request's audio to waveforms as the networks take them: mono, 16 kHz, float32."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import soxr

from protocol.errors import InvalidParams
from protocol.params import Audio, EmbedWindowsParams, Params
from sidecar.audio.crop import read_crop, select
from sidecar.audio.sources import open_source
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

    def decode(self, audio: Audio, params: Params) -> Sequence[Waveform]:
        """The waveform of ``audio``, or its windows where ``params`` ask for them.

        Raises:
            BadAudio: the audio cannot be used.
            InvalidParams: the model cannot take windows of that length.
        """
        if isinstance(params, EmbedWindowsParams):
            return self._decode_windows(audio, params)
        return [decode(audio, limits=self._limits, path_root=self._path_root)]

    def _decode_windows(self, audio: Audio, params: EmbedWindowsParams) -> list[Waveform]:
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
        whole = decode(
            audio, limits=DurationLimits(limits.min_s, max_s), path_root=self._path_root
        ).samples
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
) -> Waveform:
    """Decode ``audio``, crop it to its ``start_s`` and ``end_s``, mix it to mono, resample it.

    Args:
        audio: raw samples, the bytes of a file, or its path.
        limits: of the duration after cropping.
        path_root: which paths may be named.
        clock: in seconds; decoding is given up after ``DECODE_TIMEOUT_S``.

    Raises:
        BadAudio: the audio cannot be used; ``kind`` tells why.
    """
    crop = read_crop(audio)
    deadline_s = clock() + DECODE_TIMEOUT_S
    with open_source(audio, path_root, lambda: clock() > deadline_s) as source:
        samples = select(source, crop, limits)
    if source.sample_rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, source.sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ")
    return Waveform(samples)
