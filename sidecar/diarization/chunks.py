"""What one chunk tells: who of its own speakers speaks in which of its frames.

A chunk is ten seconds, as the segmentation network was trained on. Chunks overlap, so that each
moment is heard several times, in different company; they begin on the grid of the network's frames,
so that the frames of all chunks are frames of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

# Of the segmentation network: samples from one frame to the next, and those that a frame hears.
FRAME_SAMPLES, HEARD_SAMPLES = 270, 991
CHUNK_SAMPLES = 10 * SAMPLE_RATE_HZ
# Where the first frame's stretch of FRAME_SAMPLES begins: it lies in the middle of what is heard.
_FIRST_SAMPLE = (HEARD_SAMPLES - FRAME_SAMPLES) // 2

# Frames of a chunk: the first, and the one behind the last.
Stretch: TypeAlias = tuple[int, int]

# A stretch as long as this says by itself whose it is: the network now and then takes two people
# for one, also without a pause between them. So longer ones are cut, at the same places of the
# recording in all chunks: about every second.
LEAST_STRETCH_S, _CUT_EVERY_FRAMES = 0.75, 59
# Of speech of half a second or less in all, what others say at the same time is kept.
_LEAST_SOLO_S = 0.5
# What is embedded where no stretch is long enough: more costs time, and makes it no better.
MOST_EMBEDDED_S = 5.0
# A shorter voice tells nothing.
_LEAST_VOICE_SAMPLES = SAMPLE_RATE_HZ // 10

_MOST_ACTIVE = 255

# Speakers, class by class, as the network has them: nobody, each alone, each two together.
_SPEAKERS_OF_CLASS = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32
)


class Voice(NamedTuple):
    """What is to be embedded: samples of one speaker, from one ``stretch``; None: from several."""

    stretch: Stretch | None
    samples: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What was heard in one chunk.

    Attributes:
        first_frame: of the recording, at which it begins.
        activity: uint8, shape (n_frames, 3): how probable it is that each of its own speakers
            speaks, in 255ths. Chunks are kept by the thousand.
        speaks: bool, the same shape: by the most probable class.
    """

    first_frame: int
    activity: NDArray[np.uint8]
    speaks: BoolArray

    @property
    def probabilities(self) -> FloatArray:
        """The activity as probabilities, float32."""
        probabilities: FloatArray = self.activity.astype(np.float32) / np.float32(_MOST_ACTIVE)
        return probabilities

    @property
    def speakers(self) -> tuple[int, ...]:
        """Those of its own who speak at all."""
        return tuple(int(speaker) for speaker in np.flatnonzero(self.speaks.any(axis=0)))

    def solo_s(self, speaker: int) -> float:
        """For how long that one speaks alone, in seconds."""
        return _seconds(0, int(self._solo(speaker).sum()))

    def voices(self, speaker: int, samples: FloatArray) -> list[Voice]:
        """What is to be embedded of that speaker: of ``samples``, those of the chunk.

        It is each stretch in which they speak alone for long enough, in pieces; where there is
        none, all of their speech without that of others, joined; and where there is hardly any of
        that either, all of their speech. Without what lies behind the end of ``samples``.
        """
        alone = [run for run in runs(self._solo(speaker)) if _seconds(*run) >= LEAST_STRETCH_S]
        pieces = [piece for run in alone for piece in self._cut(run)]
        voices = [Voice(piece, _joined([piece], samples)) for piece in pieces]
        if not voices:
            is_solo_enough = self.solo_s(speaker) >= _LEAST_SOLO_S
            frames = self._solo(speaker) if is_solo_enough else self.speaks[:, speaker]
            voices = [Voice(None, _joined(runs(frames), samples))]
        return [voice for voice in voices if len(voice.samples) >= _LEAST_VOICE_SAMPLES]

    def _cut(self, stretch: Stretch) -> list[Stretch]:
        """In pieces, none of which is too short."""
        start, end = stretch
        pieces = []
        for place in range(-self.first_frame % _CUT_EVERY_FRAMES, end, _CUT_EVERY_FRAMES):
            if min(_seconds(start, place), _seconds(place, end)) >= LEAST_STRETCH_S:
                pieces.append((start, place))
                start = place
        return [*pieces, (start, end)]

    def _solo(self, speaker: int) -> BoolArray:
        solo: BoolArray = self.speaks[:, speaker] & (self.speaks.sum(axis=1) == 1)
        return solo


def chunk_of(first_frame: int, log_probabilities: FloatArray) -> Chunk:
    """The chunk that the network has heard.

    Args:
        first_frame: see ``Chunk``.
        log_probabilities: shape (n_frames, 7), of the network's classes.
    """
    speaks = _SPEAKERS_OF_CLASS[log_probabilities.argmax(axis=1)] > 0
    probabilities = np.exp(log_probabilities) @ _SPEAKERS_OF_CLASS
    activity = np.rint(np.clip(probabilities, 0, 1) * _MOST_ACTIVE).astype(np.uint8)
    return Chunk(first_frame, activity, speaks)


def frame_start(frame: int) -> int:
    """The sample of the recording (or chunk) at which the stretch of a frame begins."""
    return frame * FRAME_SAMPLES + _FIRST_SAMPLE


def runs(flags: BoolArray) -> list[tuple[int, int]]:
    """Where ``flags``, shape (n,), are set: each run's start, and the place behind its end."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _seconds(start: int, end: int) -> float:
    return (end - start) * FRAME_SAMPLES / SAMPLE_RATE_HZ


def _joined(stretches: Sequence[Stretch], samples: FloatArray) -> FloatArray:
    """The first five seconds of these stretches of frames."""
    pieces = [samples[frame_start(start) : frame_start(end)] for start, end in stretches]
    joined: FloatArray = np.concatenate(pieces or [samples[:0]])
    return joined[: round(MOST_EMBEDDED_S * SAMPLE_RATE_HZ)]
