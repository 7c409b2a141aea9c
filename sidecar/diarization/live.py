"""A stream as it comes: who speaks now, and what hindsight needs of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.gallery_reports import PersonName
from protocol.streams import KnownSpeaker
from sidecar.audio.waveform import Part, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization import live_tracking as tracking
from sidecar.diarization.chunks import CHUNK_SAMPLES, FRAME_SAMPLES, chunk_of, frame_start
from sidecar.diarization.heard_chunks import HeardActivity, HeardChunks, Segments
from sidecar.diarization.hop import HOP_SAMPLES
from sidecar.diarization.live_levels import LiveLevel, level_of
from sidecar.diarization.live_speakers import LiveSpeaker, LiveSpeakers, unit
from sidecar.diarization.speakers import People, VoicePlace
from sidecar.diarization.timeline import Turn
from sidecar.speech.detector import SpeechDetector
from sidecar.speech.segments import STEP_SAMPLES

FloatArray = NDArray[np.float32]

# Seconds of a turn's speech at which it is embedded, all of it; beyond, each piece by itself.
_EMBEDDED_AT_S = 0.5, 0.75, 1.0, 1.5, 2.0, 3.0
_PIECE_S = 2.0
# With as much waiting behind a hop, only every fourth is heard live.
_MUCH_WAITS = 4 * HOP_SAMPLES
_SPEECH = round(0.3 * 255)
_YOUNG = tracking.frames(1.25)


@dataclass(frozen=True, slots=True)
class Named:
    """Whom the gallery knows by a voice."""

    person: PersonName
    llr: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class LiveTurn:
    """See ``StreamTurn``; in seconds from the stream's first sample."""

    turn: int
    start_s: float
    end_s: float | None
    final: bool
    label: str | None
    named: Named | None = None
    embedding: FloatArray | None = None
    speech_s: float | None = None


Identify: TypeAlias = Callable[[FloatArray, float], Named | None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is seen of a turn at a hop."""

    number: int
    start_s: float
    end_s: float | None
    is_final: bool
    linked: tuple[int, ...]
    together: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Step:
    """What a hop has brought: turns, and for which of them what is embedded: (turn, s, is_whole)."""

    seen: list[_Seen] = field(default_factory=list)
    embedded: list[tuple[int, float, bool]] = field(default_factory=list)
    places: list[VoicePlace] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Said:
    """Whose a turn is, as far as it is known."""

    whole: FloatArray | None = None
    whole_s: float = 0.0
    pieces: list[tuple[FloatArray, float]] = field(default_factory=list)
    label: str | None = None
    named: Named | None = None
    told: LiveTurn | None = None

    @property
    def voice(self) -> tuple[FloatArray, float] | None:
        """The turn's direction and its seconds."""
        if self.whole is None:
            return None
        total = self.whole * np.float32(self.whole_s)
        for vector, seconds in self.pieces:
            total = total + vector * np.float32(seconds)
        return unit(total), self.whole_s + sum(seconds for _, seconds in self.pieces)


class LiveDiarization:
    """One stream. See docs/diarization.md, "Streams"."""

    def __init__(
        self,
        segmenter: Segments,
        detector: SpeechDetector | None,
        known: Sequence[KnownSpeaker] = (),
    ) -> None:
        self._segmenter = segmenter
        self._chunks = HeardChunks(segmenter, detector)
        self._has_detector = detector is not None
        self._known = [
            LiveSpeaker(
                one.label,
                unit(np.frombuffer(one.embedding, "<f4").astype(np.float32))
                * np.float32(max(one.speech_s, 0.1)),
                max(one.speech_s, 0.1),
            )
            for one in known
        ]
        self._speakers: LiveSpeakers | None = None
        self._waiting: list[FloatArray] = []
        self._n_waiting = self._n_heard = self._n_hops = 0
        self._window = np.zeros(0, np.float32)
        self._speech = np.zeros(0, np.uint8)
        self._n_steps_forgotten = 0
        self._tracker = tracking.Tracker(self._is_speech)
        self._steps: list[_Step] = []
        self._said: dict[int, _Said] = {}
        self._finals: list[tuple[float, float, str]] = []
        self._levels: list[LiveLevel] = []
        self.embedded: list[tuple[VoicePlace, FloatArray]] = []

    @property
    def activity(self) -> HeardActivity:
        """What ``diarize`` would have heard so far."""
        return self._chunks.activity

    @property
    def n_bytes(self) -> int:
        """The memory that the samples take which are held."""
        return self._chunks.n_bytes + self._window.nbytes + 4 * self._n_waiting

    def append(self, samples: FloatArray) -> None:
        """Take in what comes next, shape (n_samples,), mono, 16 kHz."""
        self._waiting.append(samples)
        self._n_waiting += len(samples)

    def next_voices(self, *, is_end: bool) -> Iterator[Part | None]:
        """Hear all hops that are complete: what is to be embedded; None: others may have a turn."""
        n_parts = 0
        while self._n_waiting >= HOP_SAMPLES or (is_end and self._n_waiting > 0):
            for samples in self._next_hop(is_end=is_end):
                yield Part(n_parts, Waveform(samples))
                n_parts += 1
            yield None
        if is_end:
            self._chunks.finish()
            self._tracker_ends()

    def heard(
        self, embeddings: Sequence[FloatArray], most_apart: float, identify: Identify | None
    ) -> list[LiveTurn]:
        """What is to be told, now that the parts of ``next_voices`` are embedded."""
        if self._speakers is None:
            self._speakers = LiveSpeakers(most_apart, self._known)
        told: list[LiveTurn] = []
        steps, self._steps, at = self._steps, [], 0
        for step in steps:
            for turn, seconds, is_whole in step.embedded:
                self._hear_turn(turn, unit(embeddings[at]), seconds, is_whole=is_whole)
                at += 1
            for place in step.places:
                self.embedded.append((place, embeddings[at]))
                at += 1
            for seen in step.seen:
                now = self._tell(seen, identify, self._speakers)
                if now is not None:
                    told.append(now)
        return told

    def take_levels(self) -> list[LiveLevel]:
        """Those since the last call."""
        levels, self._levels = self._levels, []
        return levels

    def finish(self) -> list[LiveTurn]:
        """Nothing more comes: all turns that are not final, made final."""
        self._tracker_ends()
        return self.heard((), 0.6, None)

    def labels_of(
        self, people: People, turns: Sequence[Turn]
    ) -> dict[int, tuple[str, tuple[str, ...]]]:
        """For each person of hindsight the label, and those that are theirs, too."""
        common: defaultdict[tuple[str, int], float] = defaultdict(float)
        for start_s, end_s, label in self._finals:
            for turn in turns:
                both_s = min(end_s, turn.end_s) - max(start_s, turn.start_s)
                if both_s > 0:
                    common[label, turn.person] += both_s
        spoken: defaultdict[str, float] = defaultdict(float)
        for start_s, end_s, label in self._finals:
            spoken[label] += end_s - start_s
        of_person: defaultdict[int, list[str]] = defaultdict(list)
        for label in sorted(spoken, key=lambda label: -spoken[label]):
            persons = [person for other, person in common if other == label]
            if persons:
                best = max(persons, key=lambda person: common[label, person])
                of_person[best].append(label)
        taken = {one.label for one in self._known} | set(spoken)
        number = 1
        found: dict[int, tuple[str, tuple[str, ...]]] = {}
        for person in dict.fromkeys(turn.person for turn in turns):
            if person in of_person:
                found[person] = of_person[person][0], tuple(of_person[person][1:])
                continue
            while f"S{number}" in taken:
                number += 1
            taken.add(f"S{number}")
            found[person] = f"S{number}", ()
        return found

    def _next_hop(self, *, is_end: bool) -> Iterator[FloatArray]:
        samples = self._take(min(HOP_SAMPLES, self._n_waiting))
        self._n_hops += 1
        n_speech = len(self.activity.speech)
        self._chunks.append(samples)
        self._n_heard += len(samples)
        self._window = np.concatenate((self._window, samples))[-CHUNK_SAMPLES - FRAME_SAMPLES :]
        new = self.activity.speech[n_speech:]
        self._speech = np.concatenate((self._speech, *new))
        speech = float(max((piece.max(initial=0) for piece in new), default=0)) / 255
        start = self._n_heard - len(samples)
        self._levels.append(level_of(samples, start, speech if self._has_detector else None))
        step = _Step()
        yield from self._hear_now(step)
        last = is_end and self._n_waiting == 0
        while self._chunks.has_chunk(is_end=last):
            for part in self._chunks.next_voices():
                assert isinstance(part.waveform, Waveform)
                step.places.append(self.activity.voices[part.index])
                yield part.waveform.samples
        self._steps.append(step)

    def _take(self, n_samples: int) -> FloatArray:
        taken: list[FloatArray] = []
        n_left = n_samples
        while n_left > 0:
            piece = self._waiting.pop(0)
            taken.append(piece[:n_left])
            if len(piece) > n_left:
                self._waiting.insert(0, piece[n_left:])
            n_left -= len(taken[-1])
        self._n_waiting -= n_samples
        return np.concatenate(taken)

    def _hear_now(self, step: _Step) -> Iterator[FloatArray]:
        """The turns as they are now, where anything may have changed."""
        if not self._is_worth_hearing():
            return
        end_frame = self._n_heard // FRAME_SAMPLES
        first_frame = max(0, end_frame - CHUNK_SAMPLES // FRAME_SAMPLES)
        window_start = self._n_heard - len(self._window)
        samples = self._window[first_frame * FRAME_SAMPLES - window_start :]
        view = chunk_of(first_frame, self._segmenter.hear(samples[:CHUNK_SAMPLES]))
        for turn in self._tracker.follow(view, end_frame):
            step.seen.append(_seen(turn))
            yield from self._embed(turn, step, window_start)
        step.seen.sort(key=lambda seen: seen.number)

    def _is_worth_hearing(self) -> bool:
        waits = self._n_waiting >= _MUCH_WAITS
        if waits and self._n_hops % 4:
            return False
        turns = self._tracker.open
        last = self._speech[-2 * HOP_SAMPLES // STEP_SAMPLES :]
        if self._has_detector and not turns and int(last.max(initial=0)) < _SPEECH:
            return False
        is_settled = any(not t.is_quiet for t in turns) and all(
            t.is_quiet or len(t.active) > _YOUNG for t in turns
        )
        return self._n_hops % 2 == 0 or not is_settled

    def _embed(self, turn: tracking.Turn, step: _Step, window_start: int) -> Iterator[FloatArray]:
        new = [frame for frame in turn.solo if frame >= turn.embedded_to]
        new_s = _seconds(len(new))
        n = turn.n_embedded
        if n < len(_EMBEDDED_AT_S):
            whole = [frame for frame in turn.solo if frame >= turn.start]
            is_due = _seconds(len(whole)) >= _EMBEDDED_AT_S[n]
            is_whole = True
        else:
            whole, is_whole = new, False
            is_due = new_s >= _PIECE_S or (turn.is_final and new_s >= 0.75)
        if not is_due:
            return
        while n < len(_EMBEDDED_AT_S) and _seconds(len(whole)) >= _EMBEDDED_AT_S[n]:
            n += 1
        turn.n_embedded = n
        turn.embedded_to = whole[-1] + 1
        pieces = [
            self._window[frame_start(frame) - window_start :][:FRAME_SAMPLES]
            for frame in whole
            if frame_start(frame) >= window_start
        ]
        samples = np.concatenate(pieces)[-3 * SAMPLE_RATE_HZ :]
        step.embedded.append((turn.number, len(samples) / SAMPLE_RATE_HZ, is_whole))
        yield samples

    def _is_speech(self, start: int, end: int) -> bool:
        if not self._has_detector:
            return True
        first, last = (frame_start(frame) // STEP_SAMPLES for frame in (start, end))
        return int(self._speech[first : last + 1].max(initial=0)) >= _SPEECH

    def _tracker_ends(self) -> None:
        step = _Step(seen=[_seen(turn) for turn in self._tracker.finish()])
        self._steps.append(step)

    def _hear_turn(self, turn: int, vector: FloatArray, seconds: float, *, is_whole: bool) -> None:
        said = self._said.setdefault(turn, _Said())
        if is_whole:
            said.whole, said.whole_s = vector, seconds
        else:
            said.pieces.append((vector, seconds))

    def _tell(
        self, seen: _Seen, identify: Identify | None, speakers: LiveSpeakers
    ) -> LiveTurn | None:
        said = self._said.setdefault(seen.number, _Said())
        voice = said.voice
        if voice is not None:
            linked = frozenset(
                said.label for n in seen.linked if (said := self._said.get(n)) and said.label
            )
            others = frozenset(
                said.label for n in seen.together if (said := self._said.get(n)) and said.label
            )
            said = self._said[seen.number]
            label = speakers.who(*voice, linked, others)
            said.label = label or said.label
            if said.label is not None:
                speaker = speakers.find(said.label)
                whole = voice if speaker is None else speaker.with_more(*voice)
                if identify is not None:
                    said.named = identify(*whole) or identify(*voice)
        nobody = seen.end_s is not None and seen.end_s <= seen.start_s
        if nobody:
            said.label = said.named = None
        now = LiveTurn(seen.number, seen.start_s, seen.end_s, seen.is_final, said.label, said.named)
        if seen.is_final and said.label is not None and voice is not None:
            speaker = speakers.find(said.label)
            vector, seconds = voice
            if speaker is None:
                speaker = LiveSpeaker(said.label, vector * np.float32(seconds), seconds)
                speakers.all.append(speaker)
            else:
                speaker.total = speaker.total + vector * np.float32(seconds)
                speaker.speech_s += seconds
            assert seen.end_s is not None
            self._finals.append((seen.start_s, seen.end_s, said.label))
            now = replace(now, embedding=unit(speaker.total), speech_s=speaker.speech_s)
        before, said.told = said.told, now
        is_new = before is None or (
            (before.start_s, before.end_s, before.final, before.label, before.named)
            != (now.start_s, now.end_s, now.final, now.label, now.named)
        )
        return now if is_new else None


def _seen(turn: tracking.Turn) -> _Seen:
    start_s = frame_start(turn.start) / SAMPLE_RATE_HZ
    end_s = start_s if turn.end <= turn.start else frame_start(turn.end) / SAMPLE_RATE_HZ
    is_over = turn.is_quiet or turn.is_final
    return _Seen(
        turn.number,
        start_s,
        end_s if is_over else None,
        turn.is_final,
        turn.linked,
        turn.together,
    )


def _seconds(n_frames: int) -> float:
    return n_frames * FRAME_SAMPLES / SAMPLE_RATE_HZ
