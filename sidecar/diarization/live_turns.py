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
    unit,
    who,
)

FloatArray = NDArray[np.float32]


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
class SeenTurn:
    """What a view has seen of a turn; ``linked`` and ``unlike`` are other turns' numbers."""

    number: int
    start_s: float
    end_s: float | None
    is_final: bool
    linked: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()

    @property
    def is_nobody(self) -> bool:
        """It was no turn after all."""
        return self.end_s is not None and self.end_s <= self.start_s


@dataclass(slots=True, eq=False)
class _Turn:
    """Whose it is, as far as it is known: by its first seconds, and by further pieces."""

    first: HeardVoice | None = None
    pieces: list[HeardVoice] = field(default_factory=list)
    label: str | None = None
    named: Named | None = None
    told: LiveTurn | None = None

    @property
    def voice(self) -> HeardVoice | None:
        return None if self.first is None else mean([self.first, *self.pieces])

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
        # By what is final, and by what is not.
        self._speakers = {one.label: one for one in known}
        self._open: dict[int, _Turn] = {}
        self._labels: dict[int, str] = {}
        self.finals: list[tuple[float, float, str]] = []

    def embedded(self, number: int, embedding: FloatArray, speech_s: float, *, first: bool) -> None:
        """A turn's voice is known: of its ``first`` seconds, from the beginning, or of more."""
        direction = unit(embedding)
        if not direction.any():
            return
        turn, voice = self._turn(number), HeardVoice(direction, speech_s)
        if first:
            turn.first = voice
        else:
            turn.pieces.append(voice)

    def tell(self, seen: SeenTurn, identify: Identify | None) -> LiveTurn | None:
        """What is to be told of the turn; None: nothing that has not been."""
        turn = self._turn(seen.number)
        if seen.is_nobody:
            turn.label = turn.named = None
        else:
            self._say_who(turn, seen, identify)
        now = LiveTurn(
            seen.number, seen.start_s, seen.end_s, seen.is_final, turn.label, turn.named
        )
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
        label = who(Clues(voice, person, linked, unlike), speakers.values(), self._most_apart)
        if label == NEW:
            is_new = turn.label is not None and turn.label not in speakers
            label = turn.label if is_new else free_label({*speakers, *self._labels.values()})
        turn.label = label
        if identify is not None and label in speakers:
            speaker = speakers[label]
            whole = speaker.voice if voice is None else mean([speaker.voice, voice])
            named = identify(whole.unit, whole.speech_s)
        turn.named = named

    def _speakers_beside(self, turn: _Turn) -> dict[str, LiveSpeaker]:
        """Those who have spoken, with what is not final, but for ``turn``."""
        speakers = dict(self._speakers)
        for other in self._open.values():
            if other is not turn and other.label is not None and other.voice is not None:
                speakers[other.label] = _with(speakers.get(other.label), other)
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
        return self._open.setdefault(number, _Turn())


def _with(speaker: LiveSpeaker | None, turn: _Turn) -> LiveSpeaker | None:
    """The speaker, who has said this, too."""
    if turn.voice is None or turn.label is None:
        return speaker
    voice = turn.voice if speaker is None else mean([speaker.voice, turn.voice])
    person = turn.person or (None if speaker is None else speaker.person)
    return LiveSpeaker(turn.label, voice, person)


def _said(turn: LiveTurn) -> tuple[object, ...]:
    return turn.start_s, turn.end_s, turn.final, turn.label, turn.named
