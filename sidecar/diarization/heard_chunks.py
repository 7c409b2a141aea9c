"""A recording as it comes, cut into chunks, and each of them heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sidecar.audio.sample_buffer import SampleBuffer
from sidecar.audio.waveform import Part, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import CHUNK_SAMPLES, FRAME_SAMPLES, Chunk, chunk_of
from sidecar.diarization.speakers import VoicePlace
from sidecar.speech.detector import SpeechDetector

FloatArray = NDArray[np.float32]

# A chunk begins about every second in the first minute, and every two seconds from then on: where
# there is little to go by, each chunk more tells something.
_HOPS_FRAMES = 59, 119
_FIRST_SAMPLES = 50 * SAMPLE_RATE_HZ


class Segments(Protocol):
    """What hears who speaks when in a chunk; see ``Segmenter``."""

    def hear(self, chunk: FloatArray) -> FloatArray:
        """The logarithms of the classes' probabilities, shape (n_frames, 7)."""


@dataclass(slots=True, eq=False)
class HeardActivity:
    """What was heard so far, in the first ``n_samples`` of the recording.

    ``voices`` tells for each part that is embedded whose it is. ``speech`` is how probable speech
    is in each step of the detector, in 255ths, piece by piece; empty: nobody has listened.
    """

    chunks: list[Chunk] = field(default_factory=list)
    voices: list[VoicePlace] = field(default_factory=list)
    speech: list[NDArray[np.uint8]] = field(default_factory=list)
    n_samples: int = 0


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
        for speaker in chunk.speakers:
            for voice in chunk.voices(speaker, samples):
                self.activity.voices.append(VoicePlace(number, speaker, voice.stretch))
                yield Part(len(self.activity.voices) - 1, Waveform(voice.samples, start))

    def _keep_speech(self, probabilities: FloatArray) -> None:
        self.activity.speech.append(np.rint(255 * probabilities).astype(np.uint8))
