"""Audio of any kind as blocks of samples, before any conversion."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.errors import BadAudio
from protocol.params import Audio, FileAudio, PcmAudio
from sidecar.audio.paths import open_audio_path, translate_os_error
from sidecar.audio.sound_file import SoundFile
from sidecar.config import SAMPLE_RATE_HZ, PathRoot

MIN_SOURCE_RATE_HZ, MAX_SOURCE_RATE_HZ = 8_000, 192_000
MAX_CHANNELS = 64

_PCM_TYPES: dict[str, np.dtype[Any]] = {"f32le": np.dtype("<f4"), "s16le": np.dtype("<i2")}
_S16_FULL_SCALE = np.float32(32_768)
_PCM_BLOCK_FRAMES = 1 << 18

FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """Audio before any conversion.

    Attributes:
        sample_rate_hz: in range.
        blocks: each of the shape (n_frames, n_channels).
        n_stated_frames: how many frames the whole audio has by its header; None: it does not say.
        keeps_its_word: an audio that has fewer is refused at its end.
        first_frame: the frame of the audio at which ``blocks`` begins.
    """

    sample_rate_hz: int
    blocks: Iterator[FloatArray]
    n_stated_frames: int | None
    keeps_its_word: bool
    first_frame: int = 0


def frame_at(time_s: float, rate_hz: int) -> int:
    """The frame that is nearest to a time; a time without an end has one beyond any audio."""
    return round(min(time_s * rate_hz, float(1 << 62)))


@contextlib.contextmanager
def open_source(
    audio: Audio, path_root: PathRoot, is_given_up: Callable[[], bool], start_s: float = 0.0
) -> Iterator[Source]:
    """Open ``audio`` for as long as the ``with`` block lasts.

    Args:
        audio: raw samples, the bytes of a file, or its path.
        path_root: which paths may be named.
        is_given_up: asked while a file is read; True gives it up.
        start_s: what lies before it is not wanted, and skipped as far as ``audio`` allows.

    Raises:
        BadAudio: here or in the block: it cannot be decoded; ``kind`` tells why.
    """
    if isinstance(audio, PcmAudio):
        yield _pcm_source(audio, start_s)
    elif isinstance(audio, FileAudio):
        with contextlib.closing(SoundFile(io.BytesIO(audio.file), is_given_up)) as sound:
            yield _file_source(sound, start_s)
    else:
        try:
            with (
                open_audio_path(audio.path, path_root) as file,
                contextlib.closing(SoundFile(file, is_given_up)) as sound,
            ):
                yield _file_source(sound, start_s)
        except OSError as error:
            raise translate_os_error(audio.path, error) from error


def _pcm_source(audio: PcmAudio, start_s: float) -> Source:
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
    first_frame = min(frame_at(start_s, audio.sample_rate_hz), len(frames))
    blocks = _pcm_blocks(frames[first_frame:])
    return Source(
        audio.sample_rate_hz, blocks, len(frames), keeps_its_word=True, first_frame=first_frame
    )


def _pcm_blocks(frames: NDArray[Any]) -> Iterator[FloatArray]:
    for start in range(0, len(frames), _PCM_BLOCK_FRAMES):
        block = frames[start : start + _PCM_BLOCK_FRAMES]
        yield block if block.dtype.kind == "f" else block.astype(np.float32) / _S16_FULL_SCALE


def _file_source(sound: SoundFile, start_s: float) -> Source:
    _check_layout(sound.sample_rate_hz, sound.channels)
    first_frame = sound.skip_to(frame_at(start_s, sound.sample_rate_hz))
    return Source(
        sound.sample_rate_hz,
        sound.blocks(),
        sound.n_stated_frames,
        sound.keeps_its_word,
        first_frame,
    )


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
