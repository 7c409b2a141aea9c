"""A stream as it is heard: hop by hop, which turns there are, and what of them is embedded."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sized
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sidecar.audio.waveform import Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import (
    CHUNK_SAMPLES,
    FRAME_SAMPLES,
    HEARD_SAMPLES,
    Chunk,
    chunk_of,
    frame_start,
)
from sidecar.diarization.heard_chunks import HeardActivity, HeardChunks, Segments
from sidecar.diarization.hop import HOP_SAMPLES
from sidecar.diarization.live_levels import LiveLevel, level_of
from sidecar.diarization.live_tracking import FollowedTurn, Tracker, n_frames
from sidecar.diarization.live_turns import EmbeddedVoice, SeenTurn
from sidecar.speech.detector import SpeechDetector
from sidecar.speech.segments import STEP_SAMPLES

FloatArray = NDArray[np.float32]

# Seconds of a turn's speech at which all of it is embedded; from then on, each piece by itself.
_EMBEDDED_AT_S = 0.35, 0.5, 0.75, 1.0
_PIECE_S = 0.4
# Where somebody else has always spoken, too, as far as the network can tell, so much is embedded as
# it is, once: better than nothing.
_MIXED_S = 0.6
_MOST_EMBEDDED = 3 * SAMPLE_RATE_HZ
# A turn that is over is embedded anew if it has so many times as much speech as when it was last.
_MUCH_MORE, _LEAST_S = 1.3, 0.35
# With as much waiting behind a hop, only every fourth is heard live.
_MUCH_WAITS, _SOME = 4 * HOP_SAMPLES, 4
# A turn with less is looked at at every hop, as is a pause.
_YOUNG = n_frames(0.8)
# Of the detector's probabilities, in 255ths: where it is higher somebody may speak.
_SPEECH = round(0.2 * 255)
_STEPS_OF_HOP = HOP_SAMPLES // STEP_SAMPLES + 1


@dataclass(slots=True, eq=False)
class Hop:
    """What a hop has brought.

    Attributes:
        turns: as they are seen now.
        voices: what is embedded of them.
        n_parts: how many are embedded before them, which hindsight needs.
    """

    turns: list[SeenTurn] = field(default_factory=list)
    voices: list[EmbeddedVoice] = field(default_factory=list)
    n_parts: int = 0


@dataclass(slots=True)
class _Embedded:
    """How much of a turn was: how often, how many seconds, and up to which frame."""

    times: int = 0
    first_s: float = 0.0
    to: int = 0


class LiveHearing:
    """One stream, on the decoder's thread.

    Args:
        segmenter, detector: see ``HeardChunks``.
    """

    def __init__(self, segmenter: Segments, detector: SpeechDetector | None) -> None:
        self._segmenter = segmenter
        self._chunks = HeardChunks(segmenter, detector)
        self._is_listening = detector is not None
        self._waiting: deque[FloatArray] = deque()
        self._n_waiting = self._n_heard = self._n_hops = 0
        # The last ten seconds, and the last steps of the detector.
        self._window: FloatArray = np.zeros(0, np.float32)
        self._speech: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._n_steps = 0
        self._tracker = Tracker()
        self._embedded: dict[int, _Embedded] = {}
        self.levels: list[LiveLevel] = []

    @property
    def activity(self) -> HeardActivity:
        """What ``diarize`` would have heard so far."""
        return self._chunks.activity

    @property
    def n_bytes(self) -> int:
        """The memory that the samples take which are held."""
        return self._chunks.n_bytes + self._window.nbytes + 4 * self._n_waiting

    def append(self, samples: FloatArray) -> None:
        """Take in what comes next, shape (n_samples,)."""
        self._waiting.append(samples)
        self._n_waiting += len(samples)

    def has_hop(self, *, is_end: bool) -> bool:
        """Whether a hop is complete; ``is_end``: nothing more comes, and the rest is one."""
        if self._n_waiting >= HOP_SAMPLES:
            return True
        # All may have been heard before the end was known, but for the last chunk.
        return is_end and (self._n_waiting > 0 or self._chunks.has_chunk(is_end=True))

    def next_hop(self, hop: Hop, *, is_end: bool) -> Iterator[FloatArray]:
        """Hear the hop that is complete, into ``hop``: what is to be embedded of it."""
        if self._n_waiting > 0:
            self._take_in()
        view = yield from self._chunk(hop, is_end=is_end and self._n_waiting == 0)
        if view is None and self._is_worth_hearing():
            first_frame = max(0, (self._n_heard - CHUNK_SAMPLES) // FRAME_SAMPLES)
            samples = self._window[first_frame * FRAME_SAMPLES - self._window_start :]
            view = chunk_of(first_frame, self._segmenter.hear(samples[:CHUNK_SAMPLES]))
        if view is not None:
            n_heard = min(self._n_heard - view.first_frame * FRAME_SAMPLES, CHUNK_SAMPLES)
            n_seen = max(0, (n_heard - HEARD_SAMPLES) // FRAME_SAMPLES + 1)
            for turn in self._tracker.follow(view, view.first_frame + n_seen, self._is_speech):
                hop.turns.append(_seen(turn))
                yield from self._voices(turn, hop)

    def _is_speech(self, start: int, end: int) -> bool:
        """Whether the detector has heard speech from one frame to another."""
        if not self._is_listening:
            return True
        first = self._n_steps - len(self._speech)
        since, until = (frame_start(frame) // STEP_SAMPLES - first for frame in (start, end))
        return int(self._speech[max(0, since) : max(0, until + 1)].max(initial=0)) >= _SPEECH

    def finish(self) -> None:
        """Nothing more comes, and every hop was heard."""
        self._chunks.finish()

    def rest(self) -> Hop:
        """The turns that are not final yet, made final."""
        return Hop([_seen(turn) for turn in self._tracker.finish()])

    def _chunk(self, hop: Hop, *, is_end: bool) -> Generator[FloatArray, None, Chunk | None]:
        """Hear the chunk that hindsight needs, if one is complete by this hop."""
        chunk = None
        while self._chunks.has_chunk(is_end=is_end):
            for part in self._chunks.next_voices():
                assert isinstance(part.waveform, Waveform)
                hop.n_parts += 1
                yield part.waveform.samples
            chunk = self.activity.chunks[-1]
        return chunk

    def _take_in(self) -> None:
        pieces, n_left = list[FloatArray](), min(HOP_SAMPLES, self._n_waiting)
        while n_left > 0:
            piece = self._waiting.popleft()
            if len(piece) > n_left:
                self._waiting.appendleft(piece[n_left:])
            pieces.append(piece[:n_left])
            n_left -= len(pieces[-1])
        samples = np.concatenate(pieces)
        n_pieces = len(self.activity.speech)
        self._chunks.append(samples)
        steps = np.concatenate([np.zeros(0, np.uint8), *self.activity.speech[n_pieces:]])
        self._speech = np.concatenate((self._speech, steps))[-CHUNK_SAMPLES // STEP_SAMPLES :]
        self._n_steps += len(steps)
        self._window = np.concatenate((self._window, samples))[-CHUNK_SAMPLES - FRAME_SAMPLES :]
        speech = float(steps.max(initial=0)) / 255 if self._is_listening else None
        self.levels.append(level_of(samples, self._n_heard, speech))
        self._n_heard += len(samples)
        self._n_waiting -= len(samples)
        self._n_hops += 1

    @property
    def _window_start(self) -> int:
        return self._n_heard - len(self._window)

    def _is_worth_hearing(self) -> bool:
        """Whether anything may be otherwise than at the last hop."""
        if self._n_waiting >= _MUCH_WAITS and self._n_hops % _SOME:
            return False
        turns = self._tracker.open
        now = self._speech[-_STEPS_OF_HOP:]
        if self._is_listening and not turns and int(now.max(initial=0)) < _SPEECH:
            return False
        is_settled = any(not turn.is_quiet for turn in turns) and all(
            turn.is_quiet or len(turn.solo) >= _YOUNG for turn in turns
        )
        is_pause = self._is_listening and int(now.min(initial=255)) < _SPEECH
        return self._n_hops % 2 == 0 or is_pause or not is_settled

    def _voices(self, turn: FollowedTurn, hop: Hop) -> Iterator[FloatArray]:
        """What is to be embedded of ``turn`` now."""
        before = self._embedded.setdefault(turn.number, _Embedded())
        is_first = before.times < len(_EMBEDDED_AT_S)
        start = turn.start if is_first else before.to
        frames = self._held(turn.solo, start)
        solo_s = _seconds(frames)
        if is_first:
            is_due = solo_s >= _EMBEDDED_AT_S[before.times] or (
                turn.is_final and solo_s > max(_LEAST_S, _MUCH_MORE * before.first_s)
            )
        else:
            is_due = solo_s >= _PIECE_S
        is_mixed = False
        if not is_due and before.first_s == 0:
            frames = self._held(sorted(turn.active), start)
            is_due = is_mixed = _seconds(frames) >= _MIXED_S
        if is_due:
            while before.times < len(_EMBEDDED_AT_S) and solo_s >= _EMBEDDED_AT_S[before.times]:
                before.times += 1
            samples = self._samples(frames)[-_MOST_EMBEDDED:]
            before.to, seconds = frames[-1] + 1, len(samples) / SAMPLE_RATE_HZ
            if is_first:
                before.first_s = seconds
            start_s = frame_start(frames[0]) / SAMPLE_RATE_HZ
            hop.voices.append(EmbeddedVoice(turn.number, start_s, seconds, is_first, is_mixed))
            yield samples
        if turn.is_final:
            del self._embedded[turn.number]

    def _held(self, frames: Iterable[int], start: int) -> list[int]:
        """Those from ``start`` on whose samples are still there."""
        first = max(start, -(-(self._window_start - frame_start(0)) // FRAME_SAMPLES))
        return [frame for frame in frames if frame >= first]

    def _samples(self, frames: list[int]) -> FloatArray:
        starts = (frame_start(frame) - self._window_start for frame in frames)
        return np.concatenate([self._window[start : start + FRAME_SAMPLES] for start in starts])


def _seconds(frames: Sized) -> float:
    return len(frames) * FRAME_SAMPLES / SAMPLE_RATE_HZ


def _seen(turn: FollowedTurn) -> SeenTurn:
    start_s, end_s = (frame_start(frame) / SAMPLE_RATE_HZ for frame in (turn.start, turn.end))
    is_over = turn.is_quiet or turn.is_final
    return SeenTurn(
        turn.number,
        start_s,
        end_s if is_over else None,
        turn.is_final,
        turn.linked,
        turn.unlike,
    )
