"""A stream as it comes: who speaks now, and what hindsight needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from protocol.streams import KnownSpeaker
from sidecar.audio.waveform import Part, Waveform
from sidecar.diarization.heard_chunks import HeardActivity, Segments
from sidecar.diarization.live_hearing import Hop, LiveHearing
from sidecar.diarization.live_labels import labels_in_hindsight
from sidecar.diarization.live_levels import LiveLevel
from sidecar.diarization.live_speakers import HeardVoice, LiveSpeaker
from sidecar.diarization.live_turns import Identify, LiveTurn, Named, ToldTurns
from sidecar.diarization.speakers import People, direction
from sidecar.diarization.timeline import Turn
from sidecar.speech.detector import SpeechDetector

__all__ = ["Identify", "LiveDiarization", "LiveLevel", "LiveTurn", "Named"]

FloatArray = NDArray[np.float32]


class LiveDiarization:
    """One stream: ``append`` and ``next_voices`` on one thread, the rest on another, in turn.

    Args:
        segmenter: hears who speaks when in a chunk.
        detector: hears whether anybody speaks; None: nobody listens for that.
        known: who has spoken before the stream; their labels go on.

    Attributes:
        embeddings: of the parts of ``activity``, at a length of 1.
    """

    def __init__(
        self,
        segmenter: Segments,
        detector: SpeechDetector | None,
        known: Sequence[KnownSpeaker] = (),
    ) -> None:
        self._hearing = LiveHearing(segmenter, detector)
        self._known = known
        self._told: ToldTurns | None = None
        # Heard, and not told yet.
        self._hops: list[Hop] = []
        self.embeddings: list[FloatArray] = []

    @property
    def activity(self) -> HeardActivity:
        """What ``diarize`` would have heard so far."""
        return self._hearing.activity

    @property
    def n_bytes(self) -> int:
        """The memory that the samples take which are held."""
        return self._hearing.n_bytes

    def append(self, samples: FloatArray) -> None:
        """Take in what comes next: mono, 16 kHz, shape (n_samples,), any number."""
        self._hearing.append(samples)

    def next_voices(self, *, is_end: bool) -> Iterator[Part | None]:
        """Hear all that is complete: what is to be embedded; None: others may have their turn.

        ``is_end``: nothing more comes, and the rest is heard as well.
        """
        n_parts = 0
        while self._hearing.has_hop(is_end=is_end):
            hop = Hop()
            for samples in self._hearing.next_hop(hop, is_end=is_end):
                yield Part(n_parts, Waveform(samples))
                n_parts += 1
            self._hops.append(hop)
            yield None
        if is_end:
            self._hearing.finish()

    def heard(
        self, embeddings: Sequence[FloatArray], most_apart: float, identify: Identify | None
    ) -> list[LiveTurn]:
        """What is to be told, now that the parts of ``next_voices`` are embedded, in their order.

        Args:
            embeddings: each of shape (dim,), of any length.
            most_apart: see ``max_distance``.
            identify: asks the gallery whose voice it is; None: nobody is named.
        """
        if self._told is None:
            self._told = ToldTurns(most_apart, map(_known, self._known))
        hops, self._hops = self._hops, []
        waiting, told = iter(embeddings), list[LiveTurn]()
        for hop in hops:
            # As they are asked for at the close, which then has none twice.
            self.embeddings += [direction(next(waiting)) for _ in range(hop.n_parts)]
            for voice in hop.voices:
                told += self._told.embedded(voice, next(waiting))
            new = (self._told.tell(seen, identify) for seen in hop.turns)
            told += [turn for turn in new if turn is not None]
        return told

    def take_levels(self) -> list[LiveLevel]:
        """Those since the last call."""
        levels, self._hearing.levels = self._hearing.levels, []
        return levels

    def finish(self) -> list[LiveTurn]:
        """Nothing more comes: all turns that are not final, made final."""
        self._hops.append(self._hearing.rest())
        return self.heard((), 0.0, None)

    def labels_of(
        self, people: People, turns: Sequence[Turn]
    ) -> dict[int, tuple[str, tuple[str, ...]]]:
        """For each of ``people`` who has ``turns`` the label, and those that are theirs, too.

        They are called as they were in the final turns of the stream.
        """
        assert all(turn.person < len(people.centroids) for turn in turns)
        finals = [] if self._told is None else self._told.finals
        return labels_in_hindsight(finals, turns, [one.label for one in self._known])


def _known(one: KnownSpeaker) -> LiveSpeaker:
    embedding = np.frombuffer(one.embedding, "<f4").astype(np.float32)
    return LiveSpeaker(one.label, HeardVoice(direction(embedding), max(one.speech_s, 0.1)))
