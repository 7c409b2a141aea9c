"""A request's audio to waveforms as the networks take them: mono, 16 kHz, float32.

All of it happens block by block: what was cropped away, or has another rate, is never held whole,
and whoever asks for the next step may let others go first, or ask no more.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from protocol.diarization import DiarizeParams
from protocol.errors import InvalidParams
from protocol.methods import Params
from protocol.params import (
    Audio,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    ProbeParams,
    Segment,
    SpeechParams,
)
from sidecar.audio.channels import mix
from sidecar.audio.crop import Crop, read_crop, select, too_long
from sidecar.audio.pieces import cut_pieces
from sidecar.audio.resampling import FloatArray, resample
from sidecar.audio.segments import cut_segments
from sidecar.audio.sources import Source, open_source, probe
from sidecar.audio.waveform import Decoded, DurationLimits, Part
from sidecar.audio.windows import cut_windows, max_windowed_samples
from sidecar.config import SAMPLE_RATE_HZ, PathRoot

_T = TypeVar("_T")

_ANY_DURATION = DurationLimits(0.0, math.inf)


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
    ) -> Generator[Decoded, None, None]:
        """The waveform of ``audio``, or the parts of it that ``params`` ask for, step by step.

        A step takes a block of audio, and so a millisecond or a few. ``is_given_up`` is asked where
        a file is read; once it is True, the next step there ends with some ``BadAudio``.

        Raises:
            BadAudio: at any step: the audio cannot be used, or not any further.
            InvalidParams: the model cannot take windows of that length.
        """
        if isinstance(params, ProbeParams):
            return self._probe(audio, is_given_up)
        if isinstance(params, EmbedWindowsParams):
            return self._windows(audio, params, is_given_up)
        if isinstance(params, EmbedSegmentsParams):
            return self._segments(audio, params.segments, is_given_up)
        if isinstance(params, (SpeechParams, DiarizeParams)):
            return self._pieces(audio, is_given_up)
        return self._whole(audio, is_given_up)

    def _whole(
        self, audio: Audio, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        crop = read_crop(audio.start_s, audio.end_s)
        with contextlib.ExitStack() as closing:
            opening = open_source(audio, self._path_root, is_given_up, closing, crop.start_s)
            source = yield from _steps(opening)
            blocks = select(source, crop, self._limits)
            rate_hz, channels = source.sample_rate_hz, source.mixed_channels
            yield from _told(source, _join(resample(blocks, rate_hz, channels)))

    def _segments(
        self, audio: Audio, segments: tuple[Segment, ...], is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        first_s = max(0.0, min(start_s for start_s, _ in segments))
        with contextlib.ExitStack() as closing:
            opening = open_source(audio, self._path_root, is_given_up, closing, first_s)
            source = yield from _steps(opening)
            yield from _told(source, cut_segments(source, segments, self._limits))

    def _pieces(
        self, audio: Audio, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        """All of it, of any length, in pieces that follow each other."""
        crop = read_crop(audio.start_s, audio.end_s)
        with contextlib.ExitStack() as closing:
            opening = open_source(audio, self._path_root, is_given_up, closing, crop.start_s)
            source = yield from _steps(opening)
            blocks = select(source, crop, _ANY_DURATION)
            rate_hz, channels = source.sample_rate_hz, source.mixed_channels
            stated_s = _stated_s(source, crop)
            pieces = cut_pieces(resample(blocks, rate_hz, channels), channels)
            for step in _told(source, pieces):
                yield replace(step, duration_s=stated_s)

    def _probe(
        self, audio: Audio, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        with contextlib.ExitStack() as closing:
            probed = yield from _steps(probe(audio, self._path_root, is_given_up, closing))
            yield Decoded(None, is_last=True, told=probed)

    def _windows(
        self, audio: Audio, params: EmbedWindowsParams, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        limits = self._limits
        # Half a window is the shortest that occurs, see ``last_window``.
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
        max_s = math.floor(1000 * max_samples / SAMPLE_RATE_HZ) / 1000
        windowed = DurationLimits(limits.min_s, max_s)
        crop = read_crop(audio.start_s, audio.end_s)
        with contextlib.ExitStack() as closing:
            opening = open_source(audio, self._path_root, is_given_up, closing, crop.start_s)
            source = yield from _steps(opening)
            stated_s = _stated_s(source, crop)
            # Rather than after an hour's windows.
            if source.keeps_its_word and stated_s is not None and stated_s > max_s:
                raise too_long(stated_s, windowed)
            channels = source.mixed_channels
            blocks = resample(select(source, crop, windowed), source.sample_rate_hz, channels)
            n_stated = None if stated_s is None else round(stated_s * SAMPLE_RATE_HZ)
            cut = cut_windows(blocks, channels, window_samples, hop_samples, n_stated)
            yield from _told(source, cut)


def _steps(opening: Generator[None, None, _T]) -> Generator[Decoded, None, _T]:
    """``opening``, each of whose steps has completed no part."""
    while True:
        try:
            next(opening)
        except StopIteration as stop:
            opened: _T = stop.value
            return opened
        yield Decoded(None)


def _told(source: Source, steps: Iterable[Decoded]) -> Iterator[Decoded]:
    """``steps``, with what is odd about ``source`` from the moment on when it was found."""
    for step in steps:
        warnings = source.findings.warnings
        yield replace(step, warnings=warnings) if warnings else step


def _join(blocks: Iterable[FloatArray]) -> Iterator[Decoded]:
    """The one waveform that ``blocks`` are."""
    held: list[FloatArray] = []
    held_bytes = 0
    for block in blocks:
        if len(block) > 0:
            held.append(block)
            held_bytes += block.nbytes
        yield Decoded(None, held_bytes, n_parts=1)
    yield Decoded(Part(0, mix(np.concatenate(held))), n_parts=1, is_last=True)


def _stated_s(source: Source, crop: Crop) -> float | None:
    """How long the cropped audio is by its header; None: it does not say."""
    if source.n_stated_frames is None:
        return None
    start, end = crop.frames(source.sample_rate_hz)
    return max(0, min(end, source.n_stated_frames) - start) / source.sample_rate_hz
