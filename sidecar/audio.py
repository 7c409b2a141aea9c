"""Audio as it comes, to a waveform as the networks take it: mono, 16 kHz, float32."""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from protocol.errors import BadAudio
from protocol.params import Audio, FileAudio, PcmAudio
from sidecar.audio_file import AudioFile
from sidecar.audio_path import open_audio_path, translate_os_error
from sidecar.config import SAMPLE_RATE_HZ, PathRoot

MIN_SOURCE_RATE_HZ, MAX_SOURCE_RATE_HZ = 8_000, 192_000
MAX_CHANNELS = 64
# Far above full scale, the squares in a power spectrum leave the range of float32.
MAX_ABS_SAMPLE = 1e6
DECODE_TIMEOUT_S = 30.0
# How far behind the audio's end an ``end_s`` may lie: annotations are rounded.
END_TOLERANCE_S = 0.1

_PCM_TYPES: dict[str, np.dtype[Any]] = {"f32le": np.dtype("<f4"), "s16le": np.dtype("<i2")}
_S16_FULL_SCALE = np.float32(32_768)
_PCM_BLOCK_FRAMES = 1 << 18

FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Audio that is ready for a network.

    Attributes:
        samples: mono, 16 kHz, float32, shape (n_samples,); full scale is 1.0, and more is not
            clipped. Contiguous, writable and shared with nothing: torch takes it without a copy.
    """

    samples: FloatArray

    @property
    def duration_s(self) -> float:
        """The duration in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class DurationLimits:
    """The shortest and the longest audio that is accepted, in seconds, both included."""

    min_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class _Crop:
    """The part of the audio that is wanted, in seconds of its own time; inf is its end."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class _Source:
    """Audio before any conversion; each block has the shape (n_frames, n_channels)."""

    sample_rate_hz: int
    blocks: Iterator[FloatArray]


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
    crop = _read_crop(audio)
    deadline_s = clock() + DECODE_TIMEOUT_S
    with _open_source(audio, path_root, lambda: clock() > deadline_s) as source:
        samples = _select(source, crop, limits)
    if source.sample_rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, source.sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ")
    return Waveform(samples)


def _read_crop(audio: Audio) -> _Crop:
    start_s = 0.0 if audio.start_s is None else audio.start_s
    end_s = math.inf if audio.end_s is None else audio.end_s
    if not 0 <= start_s < end_s or audio.end_s == math.inf:
        raise BadAudio(
            f"start_s is {audio.start_s} and end_s is {audio.end_s}: they must be finite, with "
            "0 <= start_s < end_s",
            kind="bad_crop",
        )
    return _Crop(start_s, end_s)


@contextlib.contextmanager
def _open_source(
    audio: Audio, path_root: PathRoot, is_late: Callable[[], bool]
) -> Iterator[_Source]:
    if isinstance(audio, PcmAudio):
        yield _pcm_source(audio)
    elif isinstance(audio, FileAudio):
        with contextlib.closing(AudioFile(io.BytesIO(audio.file), is_late)) as sound:
            yield _file_source(sound)
    else:
        try:
            with (
                open_audio_path(audio.path, path_root) as file,
                contextlib.closing(AudioFile(file, is_late)) as sound,
            ):
                yield _file_source(sound)
        except OSError as error:
            raise translate_os_error(audio.path, error) from error


def _pcm_source(audio: PcmAudio) -> _Source:
    sample_type = _PCM_TYPES.get(audio.encoding)
    if sample_type is None:
        raise BadAudio(
            f"the PCM encoding {audio.encoding!r:.40} is not supported: send f32le or s16le",
            kind="unsupported_encoding",
        )
    _check_layout(audio.sample_rate_hz, audio.channels)
    frame_bytes = sample_type.itemsize * audio.channels
    if len(audio.pcm) % frame_bytes:
        raise BadAudio(
            f"the PCM has {len(audio.pcm)} bytes, not a multiple of {frame_bytes} (one "
            f"{audio.encoding} sample for each of the channels, {audio.channels}): send whole "
            "frames",
            kind="odd_length",
            n_bytes=len(audio.pcm),
            frame_bytes=frame_bytes,
        )
    frames = np.frombuffer(audio.pcm, sample_type).reshape(-1, audio.channels)
    return _Source(audio.sample_rate_hz, _pcm_blocks(frames))


def _pcm_blocks(frames: NDArray[Any]) -> Iterator[FloatArray]:
    for start in range(0, len(frames), _PCM_BLOCK_FRAMES):
        block = frames[start : start + _PCM_BLOCK_FRAMES]
        yield block if block.dtype.kind == "f" else block.astype(np.float32) / _S16_FULL_SCALE


def _file_source(sound: AudioFile) -> _Source:
    _check_layout(sound.sample_rate_hz, sound.channels)
    return _Source(sound.sample_rate_hz, sound.blocks())


def _check_layout(sample_rate_hz: int, channels: int) -> None:
    if not MIN_SOURCE_RATE_HZ <= sample_rate_hz <= MAX_SOURCE_RATE_HZ:
        raise BadAudio(
            f"the sample rate is {sample_rate_hz} Hz: resample to between {MIN_SOURCE_RATE_HZ} "
            f"and {MAX_SOURCE_RATE_HZ} Hz ({SAMPLE_RATE_HZ} Hz needs no work here)",
            kind="unsupported_sample_rate",
            sample_rate_hz=sample_rate_hz,
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(
            f"the audio has {channels} channels: send 1 to {MAX_CHANNELS}",
            kind="unsupported_channels",
            channels=channels,
        )


def _select(source: _Source, crop: _Crop, limits: DurationLimits) -> FloatArray:
    """The cropped part of ``source``, checked and mixed to mono: a new array (n_samples,).

    Reads no further than the end of the crop or the longest duration.
    """
    rate_hz = source.sample_rate_hz
    start, end = _frame_at(crop.start_s, rate_hz), _frame_at(crop.end_s, rate_hz)
    if start == end:
        raise BadAudio(
            f"between start_s ({crop.start_s}) and end_s ({crop.end_s}) there is no sample at "
            f"{rate_hz} Hz",
            kind="bad_crop",
        )
    parts: list[FloatArray] = []
    n_read = n_kept = 0
    for block in source.blocks:
        skipped = max(0, start - n_read)
        part = block[skipped : end - n_read]
        if len(part) > 0:
            n_kept += len(part)
            if n_kept / rate_hz > limits.max_s:
                raise _duration_refusal("too_long", n_kept / rate_hz, limits)
            _check_values(part, n_read + skipped, rate_hz)
            parts.append(_mono(part))
        n_read += len(block)
        if n_read >= end:
            break
    else:
        _check_crop(crop, n_read, rate_hz)
    if n_kept / rate_hz < limits.min_s:
        raise _duration_refusal("too_short", n_kept / rate_hz, limits)
    return np.concatenate(parts)


def _frame_at(time_s: float, rate_hz: int) -> int:
    return round(min(time_s * rate_hz, float(1 << 62)))


def _check_crop(crop: _Crop, n_frames: int, rate_hz: int) -> None:
    """Refuse a crop that leaves the source, which turned out to have ``n_frames``."""
    if n_frames == 0:
        raise BadAudio("the audio is empty: it has no samples", kind="empty")
    duration_s = n_frames / rate_hz
    if _frame_at(crop.start_s, rate_hz) >= n_frames:
        raise BadAudio(
            f"start_s ({crop.start_s}) is not before the end of the audio ({duration_s:.3f} s)",
            kind="bad_crop",
            duration_s=duration_s,
        )
    if math.isfinite(crop.end_s) and _frame_at(crop.end_s - END_TOLERANCE_S, rate_hz) > n_frames:
        raise BadAudio(
            f"end_s ({crop.end_s}) is more than {END_TOLERANCE_S} s behind the end of the audio "
            f"({duration_s:.3f} s)",
            kind="bad_crop",
            duration_s=duration_s,
        )


def _check_values(part: FloatArray, first_frame: int, rate_hz: int) -> None:
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


def _mono(block: FloatArray) -> FloatArray:
    """The mean of the channels: (n_frames, n_channels) to (n_frames,)."""
    n_channels = block.shape[1]
    if n_channels == 1:
        return block[:, 0]
    # Channel by channel this is thirty times as fast as ``mean(axis=1)``.
    total = block[:, 0] + block[:, 1]
    for channel in range(2, n_channels):
        total += block[:, channel]
    total /= n_channels
    return total


def _duration_refusal(kind: str, duration_s: float, limits: DurationLimits) -> BadAudio:
    # A file that is too long was not read to its end.
    lasts, advice = (
        ("at least ", "send a part of it (start_s, end_s)")
        if kind == "too_long"
        else ("", "send more of it")
    )
    return BadAudio(
        f"the audio lasts {lasts}{duration_s:.3f} s, and from {limits.min_s:g} to "
        f"{limits.max_s:g} s are accepted: {advice}",
        kind=kind,
        duration_s=duration_s,
        min_duration_s=limits.min_s,
        max_duration_s=limits.max_s,
    )
