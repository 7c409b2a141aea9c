"""The part of an audio that is wanted: cut out, and checked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from protocol.errors import BadAudio
from sidecar.audio.channels import narrowed
from sidecar.audio.resampling import FloatArray
from sidecar.audio.sources import Source, frame_at
from sidecar.audio.waveform import DurationLimits

# Far above full scale, the squares in a power spectrum leave the range of float32.
MAX_ABS_SAMPLE = 1e6
# How far behind the audio's end an ``end_s`` may lie: annotations are rounded.
END_TOLERANCE_S = 0.1


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of the audio that is wanted, in seconds of its own time; inf is its end."""

    start_s: float
    end_s: float

    def frames(self, rate_hz: int) -> tuple[int, int]:
        """Its first frame, and the one behind its last; raises ``BadAudio`` if it has none."""
        start, end = frame_at(self.start_s, rate_hz), frame_at(self.end_s, rate_hz)
        if start == end:
            raise BadAudio(
                f"between start_s ({self.start_s}) and end_s ({self.end_s}) there is no sample at "
                f"{rate_hz} Hz",
                kind="bad_crop",
            )
        return start, end


def read_crop(start_s: float | None, end_s: float | None) -> Crop:
    """The crop that a host asked for; raises ``BadAudio`` (``bad_crop``) if there is none such."""
    start = 0.0 if start_s is None else start_s
    end = math.inf if end_s is None else end_s
    if not 0 <= start < end or end_s == math.inf:
        raise BadAudio(
            f"start_s is {start_s} and end_s is {end_s}: they must be finite, with "
            "0 <= start_s < end_s",
            kind="bad_crop",
        )
    return Crop(start, end)


def select(source: Source, crop: Crop, limits: DurationLimits) -> Iterator[FloatArray]:
    """The cropped part of ``source``, checked, block by block, each (n_samples, mixed_channels).

    A block of which nothing is wanted is empty. Reads no further than the end of the crop or the
    longest duration.

    Raises:
        BadAudio: at the block that cannot be used, or at the end if it comes too early.
    """
    rate_hz = source.sample_rate_hz
    start, end = crop.frames(rate_hz)
    n_read, n_kept = source.first_frame, 0
    for block in source.blocks:
        skipped = max(0, start - n_read)
        part = block[skipped : end - n_read]
        if len(part) > 0:
            n_kept += len(part)
            if n_kept / rate_hz > limits.max_s:
                raise too_long(n_kept / rate_hz, limits)
            check_values(part, n_read + skipped, rate_hz)
        # Of nothing a new array: an empty slice would keep its block.
        yield narrowed(part) if len(part) > 0 else np.empty((0, source.mixed_channels), np.float32)
        n_read += len(block)
        if n_read >= end:
            break
    else:
        check_crop(crop, n_read, rate_hz)
    if n_kept / rate_hz < limits.min_s:
        raise too_short(n_kept / rate_hz, limits)


def check_crop(crop: Crop, n_frames: int, rate_hz: int) -> None:
    """Refuse a crop that leaves the source, which turned out to have ``n_frames``."""
    if n_frames == 0:
        raise BadAudio("the audio is empty: it has no samples", kind="empty")
    duration_s = n_frames / rate_hz
    if frame_at(crop.start_s, rate_hz) >= n_frames:
        raise BadAudio(
            f"start_s ({crop.start_s}) is not before the end of the audio ({duration_s:.3f} s)",
            kind="bad_crop",
            duration_s=duration_s,
        )
    if math.isfinite(crop.end_s) and frame_at(crop.end_s - END_TOLERANCE_S, rate_hz) > n_frames:
        raise BadAudio(
            f"end_s ({crop.end_s}) is more than {END_TOLERANCE_S} s behind the end of the audio "
            f"({duration_s:.3f} s)",
            kind="bad_crop",
            duration_s=duration_s,
        )


def check_values(part: FloatArray, first_frame: int, rate_hz: int) -> None:
    """Refuse samples that would spoil the features; ``first_frame`` is where ``part`` begins."""
    # NaN fails both comparisons.
    if part.min() >= -MAX_ABS_SAMPLE and part.max() <= MAX_ABS_SAMPLE:
        return
    is_finite = np.isfinite(part).all(axis=1)
    if not is_finite.all():
        index = first_frame + int(np.argmin(is_finite))
        raise BadAudio(
            f"sample {index} (at {index / rate_hz:.3f} s) is NaN or infinite: full scale is 1.0",
            kind="non_finite",
            index=index,
            time_s=index / rate_hz,
        )
    peaks = np.abs(part).max(axis=1)
    offset = int(np.argmax(peaks > MAX_ABS_SAMPLE))
    index = first_frame + offset
    raise BadAudio(
        f"sample {index} (at {index / rate_hz:.3f} s) is {peaks[offset]:g}: full scale is 1.0, and "
        f"{MAX_ABS_SAMPLE:g} the most that is accepted; divide integer samples by their full scale",
        kind="out_of_range",
        index=index,
        time_s=index / rate_hz,
        max_abs_sample=MAX_ABS_SAMPLE,
    )


def too_short(duration_s: float, limits: DurationLimits) -> BadAudio:
    """The refusal of an audio that lasts ``duration_s``."""
    return _duration_refusal("too_short", f"{duration_s:.3f}", duration_s, limits)


def too_long(duration_s: float, limits: DurationLimits) -> BadAudio:
    """The refusal of an audio that lasts ``duration_s``, or more: it was not read to its end."""
    return _duration_refusal("too_long", f"at least {duration_s:.3f}", duration_s, limits)


def _duration_refusal(kind: str, lasts: str, duration_s: float, limits: DurationLimits) -> BadAudio:
    advice = "send more of it" if kind == "too_short" else "send a part of it (start_s, end_s)"
    return BadAudio(
        f"the audio lasts {lasts} s, and from {limits.min_s:g} to "
        f"{limits.max_s:g} s are accepted: {advice}",
        kind=kind,
        duration_s=duration_s,
        min_duration_s=limits.min_s,
        max_duration_s=limits.max_s,
    )
