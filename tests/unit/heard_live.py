"""Streams of made-up people, who are told apart by how loud they are."""

from __future__ import annotations

import numpy as np
from light_detector import LightDetector
from light_segmenter import LightSegmenter

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.live import LiveDiarization

DIM = 32
MOST_APART = 0.57
# Whom the segmenter takes for its first, its second, and both of its speakers.
ADA, BOB, BOTH, NOBODY = 0.05, 0.2, 0.7, 0.0


def samples_of(*loud_and_seconds):
    """Noise that is as loud as this, for so long, one after the other."""
    rng = np.random.default_rng(0)
    return np.concatenate(
        [
            loud * rng.choice(np.array([-1, 1], np.float32), round(seconds * SAMPLE_RATE_HZ))
            for loud, seconds in loud_and_seconds
        ]
    ).astype(np.float32)


def direction(number):
    return np.eye(DIM, dtype=np.float32)[number]


def voice_of(samples):
    """Two people by how loud they are; of who is not quite as loud, somebody else's."""
    levels = np.abs(samples)
    total = sum(
        np.float32(np.mean(np.isclose(levels, loud))) * direction(number)
        for number, loud in enumerate((ADA, BOB, BOTH))
    )
    if total.any():
        return 3 * total
    return direction(3 + round(100 * float(levels.mean())) % (DIM - 3))


class Played:
    """A stream that was played; ``told`` are its turns, ``parts`` what was embedded."""

    def __init__(self, known=(), detector=True, identify=None, embed=voice_of):
        self.segmenter = LightSegmenter()
        self.live = LiveDiarization(self.segmenter, LightDetector() if detector else None, known)
        self.identify, self.embed = identify, embed
        self.told, self.parts, self.when = [], [], []
        self.n_pushed = 0

    def push(self, samples, *, is_end=False):
        self.live.append(samples)
        self.n_pushed += len(samples)
        voices = [part for part in self.live.next_voices(is_end=is_end) if part is not None]
        assert [part.index for part in voices] == list(range(len(voices)))
        parts = [part.waveform.samples for part in voices]
        self.parts += parts
        told = self.live.heard([self.embed(part) for part in parts], MOST_APART, self.identify)
        self._take(told)
        return self

    def play(self, samples, piece=800):
        for start in range(0, len(samples), piece):
            self.push(samples[start : start + piece], is_end=start + piece >= len(samples))
        self._take(self.live.finish())
        return self

    def _take(self, told):
        self.told += told
        self.when += [self.n_pushed / SAMPLE_RATE_HZ] * len(told)

    @property
    def finals(self):
        return [turn for turn in self.told if turn.final and turn.end_s > turn.start_s]

    @property
    def said(self):
        """What was told, without the embeddings."""
        return [
            (turn.turn, turn.start_s, turn.end_s, turn.final, turn.label, turn.named)
            for turn in self.told
        ]
