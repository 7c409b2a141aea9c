"""The segments of ``embed_segments``: many parts of one audio, each as if it were asked for alone.

The audio is read once, and no more of it is held than the segments need that are under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from protocol.errors import BadAudio
from protocol.params import Segment
from sidecar.audio.channels import mix, narrowed
from sidecar.audio.crop import (
    Crop,
    check_crop,
    check_values,
    read_crop,
    too_long,
    too_short,
)
from sidecar.audio.resampling import FloatArray, resample
from sidecar.audio.sample_buffer import SampleBuffer
from sidecar.audio.sources import Source
from sidecar.audio.waveform import Decoded, DurationLimits, Part


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A segment in frames of its source."""

    index: int
    crop: Crop
    start: int
    end: int


def cut_segments(
    source: Source, segments: Sequence[Segment], limits: DurationLimits
) -> Iterator[Decoded]:
    """The segments of ``source``, each when its end was read: its waveform, or a ``BadAudio``.

    Each has the samples that ``select`` and ``resample`` give of it alone.

    Raises:
        BadAudio: the source cannot be read on; what was cut before stands.
    """
    cutter = _Cutter(source, segments, limits)
    for part in cutter.refused:
        yield cutter.decoded(part)
    for block in source.blocks:
        for part in cutter.feed(block):
            yield cutter.decoded(part)
        if cutter.is_done:
            break
        yield cutter.decoded(None)
    for part in cutter.finish():
        yield cutter.decoded(part)
    yield cutter.decoded(None, is_last=True)


class _Cutter:
    """Cuts segments out of blocks.

    Attributes:
        refused: what no audio could have.
    """

    def __init__(self, source: Source, segments: Sequence[Segment], limits: DurationLimits) -> None:
        self._rate_hz = source.sample_rate_hz
        self._limits = limits
        self._n_segments = len(segments)
        self._n_read = source.first_frame
        self._channels = source.mixed_channels
        self._samples = SampleBuffer(self._channels, source.first_frame)
        read = [self._read(index, segment) for index, segment in enumerate(segments)]
        self.refused = [segment for segment in read if isinstance(segment, Part)]
        wanted = [segment for segment in read if isinstance(segment, _Wanted)]
        self._coming = deque(sorted(wanted, key=lambda segment: segment.start))
        self._open: dict[int, _Wanted] = {}

    @property
    def is_done(self) -> bool:
        """Whether every segment was cut."""
        return not self._coming and not self._open

    def decoded(self, part: Part | None, *, is_last: bool = False) -> Decoded:
        """What a step has brought."""
        return Decoded(part, self._samples.n_bytes, self._n_segments, is_last)

    def feed(self, block: FloatArray) -> Iterator[Part]:
        """The segments that end in ``block``, shape (n_frames, n_channels)."""
        if len(block) == 0:
            return
        start, self._n_read = self._n_read, self._n_read + len(block)
        while self._coming and self._coming[0].start < self._n_read:
            segment = self._coming.popleft()
            self._open[segment.index] = segment
        if not self._open:
            self._samples = SampleBuffer(self._channels, self._n_read)
            return
        yield from self._refuse_too_long()
        yield from self._refuse_bad_values(block, start)
        self._samples.append(narrowed(block))
        for segment in [s for s in self._open.values() if s.end <= self._n_read]:
            del self._open[segment.index]
            yield self._cut(segment, segment.end)
        self._samples.drop_before(
            min((segment.start for segment in self._open.values()), default=self._n_read)
        )

    def finish(self) -> Iterator[Part]:
        """The segments that end behind the audio's end: a little, or they are refused."""
        for segment in [*self._open.values(), *self._coming]:
            yield self._cut_at_the_end(segment)

    def _read(self, index: int, segment: Segment) -> _Wanted | Part:
        try:
            return self._wanted(index, segment)
        except BadAudio as error:
            return _refusal(index, error)

    def _wanted(self, index: int, segment: Segment) -> _Wanted:
        crop = read_crop(*segment)
        start, end = crop.frames(self._rate_hz)
        return _Wanted(index, crop, start, end)

    def _refuse_too_long(self) -> Iterator[Part]:
        for segment in list(self._open.values()):
            duration_s = (min(segment.end, self._n_read) - segment.start) / self._rate_hz
            if duration_s > self._limits.max_s:
                del self._open[segment.index]
                yield _refusal(segment.index, too_long(duration_s, self._limits))

    def _refuse_bad_values(self, block: FloatArray, start: int) -> Iterator[Part]:
        if _fault(block, start, self._rate_hz) is None:
            return
        for segment in list(self._open.values()):
            skipped = max(0, segment.start - start)
            part = block[skipped : segment.end - start]
            fault = _fault(part, start + skipped, self._rate_hz)
            if fault is not None:
                del self._open[segment.index]
                yield _refusal(segment.index, fault)

    def _cut_at_the_end(self, segment: _Wanted) -> Part:
        try:
            check_crop(segment.crop, self._n_read, self._rate_hz)
        except BadAudio as error:
            return _refusal(segment.index, error)
        return self._cut(segment, self._n_read)

    def _cut(self, segment: _Wanted, end: int) -> Part:
        samples = self._samples.copy(segment.start, end)
        if len(samples) / self._rate_hz < self._limits.min_s:
            error = too_short(len(samples) / self._rate_hz, self._limits)
            return _refusal(segment.index, error)
        resampled = np.concatenate(list(resample([samples], self._rate_hz, self._channels)))
        return Part(segment.index, mix(resampled))


def _fault(block: FloatArray, first_frame: int, rate_hz: int) -> BadAudio | None:
    try:
        check_values(block, first_frame, rate_hz)
    except BadAudio as error:
        return error
    return None


def _refusal(index: int, error: BadAudio) -> Part:
    # The traceback would hold the block.
    return Part(index, error.with_traceback(None))
