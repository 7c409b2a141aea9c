"""A recording as it comes, cut into chunks, and each of them heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sidecar.audio.sample_buffer import SampleBuffer
from sidecar.audio.waveform import Part, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import (
    CHUNK_SAMPLES,
    FRAME_SAMPLES,
    Chunk,
    Voice,
    chunk_of,
    frame_start,
)
from sidecar.diarization.speakers import VoicePlace, direction
from sidecar.speech.detector import SpeechDetector

FloatArray = NDArray[np.float32]

# A chunk begins about every second in the first minute, and every two seconds from then on: where
# there is little to go by, each chunk more tells something.
_HOPS_FRAMES = 59, 119
_FIRST_SAMPLES = 50 * SAMPLE_RATE_HZ
# A stretch that begins and ends as another chunk's does, nearly, is not embedded again.
_NEARLY = round(0.2 * SAMPLE_RATE_HZ)


class Segments(Protocol):
    """What hears who speaks when in a chunk; see ``Segmenter``."""

    def hear(self, chunk: FloatArray) -> FloatArray:
        """The logarithms of the classes' probabilities, shape (n_frames, 7)."""


@dataclass(slots=True, eq=False)
class HeardActivity:
    """What was heard so far, in the first ``n_samples`` of the recording.

    Attributes:
        chunks: in the order of their beginnings.
        voices: of whom something is embedded; the place in ``parts`` says which part.
        parts: one for each of ``voices``: nearly the same stretch of two chunks is one part.
        speech: how probable speech is in each step of the detector, in 255ths, piece by piece;
            empty: nobody has listened.
        n_samples: how many were heard.
    """

    chunks: list[Chunk] = field(default_factory=list)
    voices: list[VoicePlace] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    speech: list[NDArray[np.uint8]] = field(default_factory=list)
    n_samples: int = 0

    def embedded(self, embeddings: Sequence[FloatArray]) -> Iterator[tuple[VoicePlace, FloatArray]]:
        """Each of the voices with its direction; ``embeddings`` are those of the parts."""
        # Once for each part: an hour has three times as many voices.
        directions = list(map(direction, embeddings))
        for voice, part in zip(self.voices, self.parts, strict=True):
            yield voice, directions[part]


class _Embedded(NamedTuple):
    """A part, and the samples that it is of."""

    part: int
    start: int
    end: int


class HeardChunks:
    """Takes samples in, and gives the voices of each chunk that is complete.

    Args:
        segmenter: hears who speaks when in a chunk.
        detector: hears whether anybody speaks; None: nobody listens for that.

    Attributes:
        activity: what was heard so far.
    """

    def __init__(self, segmenter: Segments, detector: SpeechDetector | None = None) -> None:
        self._segmenter = segmenter
        self._listening = None if detector is None else detector.listen()
        self._samples = SampleBuffer(1)
        self._next_start = 0
        self._heard_to = 0
        self._n_parts = 0
        # Stretches that a chunk to come may have as well.
        self._embedded: list[_Embedded] = []
        self.activity = HeardActivity()

    @property
    def n_bytes(self) -> int:
        """The memory that the samples take which are held."""
        return self._samples.n_bytes

    def append(self, samples: FloatArray) -> None:
        """Take in what comes next, shape (n_samples,)."""
        self._samples.append(samples[:, None])
        if self._listening is not None:
            self._keep_speech(self._listening.feed(samples))

    def finish(self) -> None:
        """Nothing more comes, and every chunk was heard."""
        if self._listening is not None:
            self._keep_speech(self._listening.finish())

    def has_chunk(self, *, is_end: bool) -> bool:
        """Whether a chunk is complete; ``is_end``: nothing more comes, and the rest is one."""
        end = self._samples.end
        if self._next_start + CHUNK_SAMPLES > end:
            if not is_end or self._heard_to >= end:
                return False
            # The last one ends with the recording, and with less than a frame of silence.
            last = -(-(end - CHUNK_SAMPLES) // FRAME_SAMPLES) * FRAME_SAMPLES
            self._next_start = max(0, last)
        return True

    def next_voices(self) -> Iterator[Part]:
        """Hear the chunk that is complete: what is to be embedded of it."""
        start, number = self._next_start, len(self.activity.chunks)
        end = min(start + CHUNK_SAMPLES, self._samples.end)
        samples = self._samples.copy(start, end)[:, 0]
        chunk = chunk_of(start // FRAME_SAMPLES, self._segmenter.hear(samples))
        self.activity.chunks.append(chunk)
        self.activity.n_samples = self._heard_to = end
        hop_frames = _HOPS_FRAMES[start >= _FIRST_SAMPLES]
        self._next_start = start + hop_frames * FRAME_SAMPLES
        # The last chunk may begin before the next one.
        self._samples.drop_before(min(self._next_start, self._samples.end - CHUNK_SAMPLES))
        self._embedded = [one for one in self._embedded if one.end > start]
        for speaker in chunk.speakers:
            for voice in chunk.voices(speaker, samples):
                known = self._known(voice, start)
                self.activity.voices.append(VoicePlace(number, speaker, voice.stretch))
                self.activity.parts.append(self._n_parts if known is None else known)
                if known is None:
                    self._n_parts += 1
                    yield Part(self._n_parts - 1, Waveform(voice.samples, start))

    def _known(self, voice: Voice, chunk_start: int) -> int | None:
        """The part by which this stretch is embedded already; None: it is to be, from now on."""
        if voice.stretch is None:
            return None
        start = chunk_start + frame_start(voice.stretch[0])
        end = start + len(voice.samples)
        near = [
            (abs(one.start - start) + abs(one.end - end), one.part)
            for one in self._embedded
            if max(abs(one.start - start), abs(one.end - end)) <= _NEARLY
        ]
        if near:
            return min(near)[1]
        self._embedded.append(_Embedded(self._n_parts, start, end))
        return None

    def _keep_speech(self, probabilities: FloatArray) -> None:
        self.activity.speech.append(np.rint(255 * probabilities).astype(np.uint8))
