"""From probabilities to segments of speech: pure.

The numbers are those that the network was published with (the defaults of the package silero-vad
6.2.3, ``get_speech_timestamps``); docs/speech.md says what each does, and what others would do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

# The first sample of it, and the one behind its last.
Segment: TypeAlias = tuple[int, int]

# What the network judges at a time, in samples: 32 ms.
STEP_SAMPLES = 512
# Speech begins where it is this probable, and ends where it is less than that: between the two it
# stays what it was, so that a word does not fall apart.
ONSET, OFFSET = 0.5, 0.35
# A segment is longer than this (250 ms), or it is a click, a cough, a key.
_SPEECH_SAMPLES = 4_000
# It ends once it has been quiet for as long as this (100 ms): a stop consonant is shorter.
_QUIET_SAMPLES = 1_600
# What is added at both ends (30 ms): the breath before a word, the echo behind it. Two segments are
# further apart than twice as much.
_PADDING_SAMPLES = 480


class SegmentRule:
    """Makes segments of the probabilities of one audio, which come piece by piece."""

    def __init__(self) -> None:
        self._n_steps = 0
        self._start: int | None = None
        self._quiet_since: int | None = None

    def feed(self, probabilities: Iterable[float]) -> list[Segment]:
        """The segments that are known to have ended by these steps, each ``STEP_SAMPLES``."""
        ended = []
        for probability in probabilities:
            segment = self._step(probability, self._n_steps * STEP_SAMPLES)
            self._n_steps += 1
            if segment is not None:
                ended.append(segment)
        return ended

    def finish(self, n_samples: int) -> list[Segment]:
        """The one that lasts until the end of the audio, ``n_samples`` from its start, if any."""
        start, self._start = self._start, None
        if start is None or n_samples - start <= _SPEECH_SAMPLES:
            return []
        return [(max(0, start - _PADDING_SAMPLES), n_samples)]

    def _step(self, probability: float, at: int) -> Segment | None:
        if probability >= ONSET:
            self._quiet_since = None
            if self._start is None:
                self._start = at
            return None
        if self._start is None or probability >= OFFSET:
            return None
        if self._quiet_since is None:
            self._quiet_since = at
        if at - self._quiet_since < _QUIET_SAMPLES:
            return None
        start, end = self._start, self._quiet_since
        self._start = self._quiet_since = None
        if end - start <= _SPEECH_SAMPLES:
            return None
        return max(0, start - _PADDING_SAMPLES), end + _PADDING_SAMPLES


def find_segments(probabilities: Iterable[float], n_samples: int) -> list[Segment]:
    """The segments of an audio of ``n_samples``, by the probability of each of its steps."""
    rule = SegmentRule()
    return [*rule.feed(probabilities), *rule.finish(n_samples)]


def count_samples(segments: Sequence[Segment]) -> int:
    """How many samples lie in ``segments``."""
    return sum(end - start for start, end in segments)
