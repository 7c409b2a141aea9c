"""Sounds that need no file: tones, noise and silence as PCM."""

from __future__ import annotations

import math
import random
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

BYTES_PER_SAMPLE = {"f32le": 4, "s16le": 2}


@dataclass(frozen=True, slots=True)
class Sound:
    """A ``kind`` (tone, noise, silence) of ``duration_s``; ``level`` is its peak, 1.0 full scale.

    All channels are the same. Noise is white, uniform, and for one ``seed`` always the same.
    """

    kind: str
    duration_s: float = 1.0
    sample_rate_hz: int = 16_000
    channels: int = 1
    encoding: str = "f32le"
    level: float = 0.5
    frequency_hz: float = 220.0
    seed: int = 0

    @property
    def n_frames(self) -> int:
        """How many samples each channel has."""
        return round(self.duration_s * self.sample_rate_hz)

    @property
    def n_bytes(self) -> int:
        """How many bytes it has as PCM."""
        return self.n_frames * self.channels * BYTES_PER_SAMPLE[self.encoding]


# Files tend to ask for the same sound again and again.
@lru_cache(maxsize=32)
def generate_pcm(sound: Sound) -> bytes:
    """The samples of ``sound``, its channels interleaved."""
    is_float = sound.encoding == "f32le"
    samples = array("f" if is_float else "h")
    for sample in _samples(sound):
        value = sample if is_float else round(max(-1.0, min(1.0, sample)) * 32767)
        for _ in range(sound.channels):
            samples.append(value)  # type: ignore[arg-type] # an integer where it must be one
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _samples(sound: Sound) -> Iterable[float]:
    if sound.kind == "silence":
        return (0.0 for _ in range(sound.n_frames))
    if sound.kind == "noise":
        numbers = random.Random(sound.seed)  # noqa: S311 - a sound, no secret
        return (sound.level * numbers.uniform(-1.0, 1.0) for _ in range(sound.n_frames))
    step = 2 * math.pi * sound.frequency_hz / sound.sample_rate_hz
    return (sound.level * math.sin(step * n) for n in range(sound.n_frames))
