"""Raw samples: which there are, and how they become floats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.errors import BadAudio
from sidecar.audio.resampling import FloatArray
from sidecar.config import SAMPLE_RATE_HZ

MIN_SOURCE_RATE_HZ, MAX_SOURCE_RATE_HZ = 8_000, 192_000
MAX_CHANNELS = 64

_TYPES: dict[str, np.dtype[Any]] = {"f32le": np.dtype("<f4"), "s16le": np.dtype("<i2")}
_S16_FULL_SCALE = np.float32(32_768)
_BLOCK_FRAMES = 1 << 18


def sample_type(encoding: str) -> np.dtype[Any]:
    """How a sample of that encoding is stored; raises ``BadAudio`` where it is not known."""
    found = _TYPES.get(encoding)
    if found is None:
        raise BadAudio(
            f"the PCM encoding {encoding!r:.40} is not supported: send f32le or s16le",
            kind="unsupported_encoding",
        )
    return found


def check_layout(sample_rate_hz: int, channels: int) -> None:
    """Raise ``BadAudio`` where audio of such a rate, or of so many channels, is not taken."""
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


def pcm_frames(pcm: bytes, encoding: str, channels: int) -> NDArray[Any]:
    """The frames of ``pcm``, shape (n_frames, channels), as they are stored.

    Raises:
        BadAudio: the encoding is not known, or the last frame is not whole.
    """
    stored = sample_type(encoding)
    frame_bytes = stored.itemsize * channels
    if len(pcm) % frame_bytes:
        raise BadAudio(
            f"the PCM has {len(pcm)} bytes, not a multiple of {frame_bytes} (one "
            f"{encoding} sample for each of the channels, {channels}): send whole "
            "frames",
            kind="odd_length",
            n_bytes=len(pcm),
            frame_bytes=frame_bytes,
        )
    return np.frombuffer(pcm, stored).reshape(-1, channels)


def pcm_blocks(frames: NDArray[Any]) -> Iterator[FloatArray]:
    """``frames`` as floats of full scale 1.0, block by block."""
    for start in range(0, len(frames), _BLOCK_FRAMES):
        block = frames[start : start + _BLOCK_FRAMES]
        yield block if block.dtype.kind == "f" else block.astype(np.float32) / _S16_FULL_SCALE
