"""What is told of a stream's turns: whose they are, as far as it is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.gallery_reports import PersonName
from sidecar.diarization.live_speakers import Company, HeardVoice, LiveSpeakers, mean, unit

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


class ToldTurns:
    """Says whose turns are, and what of them is new.

    Attributes:
        finals: of the final turns with a label, start and end in seconds, and the label.
    """

    def __init__(self, speakers: LiveSpeakers) -> None:
        self._speakers = speakers
        self._turns: dict[int, _Turn] = {}
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
        now = LiveTurn(seen.number, seen.start_s, seen.end_s, seen.is_final, turn.label, turn.named)
        if seen.is_final:
            now = self._settled(turn, now)
        before, turn.told = turn.told, now
        return None if before is not None and _said(before) == _said(now) else now

    def _say_who(self, turn: _Turn, seen: SeenTurn, identify: Identify | None) -> None:
        voice = turn.voice
        named = None if voice is None or identify is None else identify(voice.unit, voice.speech_s)
        company = Company(self._labels(seen.linked), self._labels(seen.unlike))
        person = None if named is None else named.person.id
        taken = {other.label for other in self._turns.values() if other.label and other is not turn}
        turn.label = self._speakers.who(voice, person, company, taken) or turn.label
        speaker = None if turn.label is None else self._speakers.get(turn.label)
        if identify is not None and speaker is not None:
            whole = speaker.voice if voice is None else mean([speaker.voice, voice])
            named = identify(whole.unit, whole.speech_s) or named
        turn.named = named

    def _settled(self, turn: _Turn, now: LiveTurn) -> LiveTurn:
        """``now``, which is final; what its speaker has said is kept."""
        if turn.label is None:
            return now
        assert now.end_s is not None
        self.finals.append((now.start_s, now.end_s, turn.label))
        voice, speaker = turn.voice, self._speakers.get(turn.label)
        if voice is not None:
            person = None if turn.named is None else turn.named.person.id
            speaker = self._speakers.add(turn.label, voice, person)
        if speaker is None:
            return now
        return replace(now, embedding=speaker.voice.unit, speech_s=speaker.voice.speech_s)

    def _turn(self, number: int) -> _Turn:
        return self._turns.setdefault(number, _Turn())

    def _labels(self, numbers: Iterable[int]) -> frozenset[str]:
        turns = (self._turns.get(number) for number in numbers)
        return frozenset(turn.label for turn in turns if turn is not None and turn.label)


def _said(turn: LiveTurn) -> tuple[object, ...]:
    return turn.start_s, turn.end_s, turn.final, turn.label, turn.named
