"""What is told of a stream's turns: whose they are, as far as it is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.gallery_reports import PersonName
from sidecar.diarization.live_speakers import (
    NEW,
    Clues,
    HeardVoice,
    LiveSpeaker,
    free_label,
    mean,
    who,
)
from sidecar.diarization.speakers import direction

FloatArray = NDArray[np.float32]

# A piece of a turn is somebody else's if its cosine with the turn and its speaker is below the
# first, by how far apart the model's people are (see ``max_distance``: CAM++ and ECAPA-TDNN), or
# that with another one is higher by the second. With less than so many seconds of speech it only
# casts doubt on the turn, until the next piece is there.
_STILL_ALIKE = (0.57, 0.61), (0.25, 0.15)
_CLEARLY, _CERTAIN_S = 0.1, 0.6


@dataclass(frozen=True, slots=True)
class Named:
    """Whom the gallery knows by a voice."""

    person: PersonName
    llr: float
    probability: float


Identify: TypeAlias = Callable[[FloatArray, float], Named | None]


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


@dataclass(frozen=True, slots=True)
class EmbeddedVoice:
    """What is embedded of the turn ``number``: from ``start_s`` on, ``speech_s`` of speech.

    ``is_first``: all of the turn so far; or what came since then, by itself. ``is_mixed``: somebody
    else has always spoken, too.
    """

    number: int
    start_s: float
    speech_s: float
    is_first: bool
    is_mixed: bool = False


@dataclass(frozen=True, slots=True)
class SeenTurn:
    """What a view has seen of a turn; ``linked`` and ``unlike`` are other turns' numbers."""

    number: int
    start_s: float
    end_s: float | None
    is_final: bool
    linked: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class _Turn:
    """What is told of a turn.

    Attributes:
        number: under which it is told.
        start_s: it does not begin before.
        voices: of its beginning, and of what came then.
        doubted: the last piece, if it may be somebody else's, and where it begins, in seconds.
        is_mixed: in ``voices`` somebody else is heard, too.
    """

    number: int
    start_s: float = 0.0
    voices: list[HeardVoice] = field(default_factory=list)
    doubted: tuple[float, HeardVoice] | None = None
    is_mixed: bool = False
    label: str | None = None
    named: Named | None = None
    told: LiveTurn | None = None

    @property
    def voice(self) -> HeardVoice | None:
        return mean(self.voices) if self.voices else None

    @property
    def person(self) -> str | None:
        return None if self.named is None else self.named.person.id


class ToldTurns:
    """Says whose turns are, and what of them is new.

    Args:
        most_apart: see ``max_distance``.
        known: who had spoken before.

    Attributes:
        finals: of the final turns with a label, start and end in seconds, and the label.
    """

    def __init__(self, most_apart: float, known: Iterable[LiveSpeaker]) -> None:
        self._most_apart = most_apart
        self._still_alike = float(np.interp(most_apart, *_STILL_ALIKE))
        # By what is final; the turns are by the numbers under which they are seen.
        self._speakers = {one.label: one for one in known}
        self._open: dict[int, _Turn] = {}
        self._labels: dict[int, str] = {}
        self._n_told = 0
        self.finals: list[tuple[float, float, str]] = []

    def embedded(self, heard: EmbeddedVoice, embedding: FloatArray) -> list[LiveTurn]:
        """A voice is known; what is final by that, as somebody else is found to have gone on."""
        voice = HeardVoice(direction(embedding), heard.speech_s)
        if not voice.unit.any():
            return []
        turn = self._turn(heard.number)
        if heard.is_first:
            turn.voices, turn.is_mixed = [voice], heard.is_mixed
            return []
        start_s = heard.start_s
        if turn.doubted is not None:
            start_s, before = turn.doubted
            voice = mean([before, voice])
        is_other = turn.label is not None and self._is_other(turn, voice)
        turn.doubted = None
        if not is_other:
            turn.voices.append(voice)
        elif voice.speech_s < _CERTAIN_S:
            turn.doubted = start_s, voice
        else:
            self._open[heard.number] = _Turn(self._next(), start_s, [voice])
            if turn.told is not None and turn.told.start_s < start_s:
                over = replace(
                    turn.told, end_s=start_s, final=True, label=turn.label, named=turn.named
                )
                return [self._settled(turn, over)]
        return []

    def tell(self, seen: SeenTurn, identify: Identify | None) -> LiveTurn | None:
        """What is to be told of the turn; None: nothing that has not been."""
        turn = self._turn(seen.number)
        start_s = max(seen.start_s, turn.start_s)
        end_s = None if seen.end_s is None else max(start_s, seen.end_s)
        if end_s == start_s:  # it was nobody
            turn.label = turn.named = None
        elif turn.doubted is None:
            self._say_who(turn, seen, identify)
        now = LiveTurn(turn.number, start_s, end_s, seen.is_final, turn.label, turn.named)
        if turn.doubted is not None and not seen.is_final:
            now = replace(now, label=None, named=None)
        self._labels.pop(seen.number, None)
        if turn.label is not None:
            self._labels[seen.number] = turn.label
        if seen.is_final:
            del self._open[seen.number]
            now = self._settled(turn, now)
        before, turn.told = turn.told, now
        return None if before is not None and _said(before) == _said(now) else now

    def _say_who(self, turn: _Turn, seen: SeenTurn, identify: Identify | None) -> None:
        voice = turn.voice
        named = None if voice is None or identify is None else identify(voice.unit, voice.speech_s)
        person = None if named is None else named.person.id
        linked, unlike = (
            {self._labels[number] for number in numbers if number in self._labels}
            for numbers in (seen.linked, seen.unlike)
        )
        speakers = self._speakers_beside(turn)
        clues = Clues(voice, person, linked, unlike, is_over=seen.end_s is not None)
        label = who(clues, speakers.values(), self._most_apart)
        if turn.is_mixed and (label in unlike or (label == NEW and person is None)):
            turn.label = turn.named = None  # it is only who speaks beside them
            return
        if label == NEW:
            is_new = turn.label is not None and turn.label not in speakers
            label = turn.label if is_new else free_label({*speakers, *self._labels.values()})
        turn.label = label
        if identify is None:  # what was known stays known
            return
        if label in speakers:
            speaker = speakers[label]
            whole = speaker.voice if voice is None else mean([speaker.voice, voice])
            named = identify(whole.unit, whole.speech_s)
        turn.named = named

    def _is_other(self, turn: _Turn, voice: HeardVoice) -> bool:
        """Whether ``voice``, which was taken for the turn's, is clearly somebody else's."""
        speakers = self._speakers_beside(None)
        own = mean(turn.voices) if turn.voices else voice
        to_own = max(float(own.unit @ voice.unit), _cosine(speakers.get(turn.label or ""), voice))
        others = (one for one in speakers.values() if one.label != turn.label)
        to_others = max((_cosine(one, voice) for one in others), default=-1.0)
        return to_own < self._still_alike or to_others - to_own > _CLEARLY

    def _speakers_beside(self, turn: _Turn | None) -> dict[str, LiveSpeaker]:
        """Those who have spoken, with what is not final, but for ``turn``."""
        speakers = dict(self._speakers)
        for other in self._open.values():
            if other is not turn and other.label is not None:
                speaker = _with(speakers.get(other.label), other)
                if speaker is not None:
                    speakers[other.label] = speaker
        return speakers

    def _settled(self, turn: _Turn, now: LiveTurn) -> LiveTurn:
        """``now``, which is final; what its speaker has said is kept."""
        if turn.label is None:
            return now
        assert now.end_s is not None
        self.finals.append((now.start_s, now.end_s, turn.label))
        speaker = _with(self._speakers.get(turn.label), turn)
        if speaker is None:
            return now
        self._speakers[turn.label] = speaker
        return replace(now, embedding=speaker.voice.unit, speech_s=speaker.voice.speech_s)

    def _turn(self, number: int) -> _Turn:
        if number not in self._open:
            self._open[number] = _Turn(self._next())
        return self._open[number]

    def _next(self) -> int:
        self._n_told += 1
        return self._n_told - 1


def _cosine(speaker: LiveSpeaker | None, voice: HeardVoice) -> float:
    return -1.0 if speaker is None else float(speaker.voice.unit @ voice.unit)


def _with(speaker: LiveSpeaker | None, turn: _Turn) -> LiveSpeaker | None:
    """The speaker, who has said this, too."""
    if turn.voice is None or turn.label is None:
        return speaker
    voice = turn.voice if speaker is None else mean([speaker.voice, turn.voice])
    person = turn.person or (None if speaker is None else speaker.person)
    return LiveSpeaker(turn.label, voice, person)


def _said(turn: LiveTurn) -> tuple[object, ...]:
    return turn.start_s, turn.end_s, turn.final, turn.label, turn.named
