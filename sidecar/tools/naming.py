"""Whether a sidecar knows the voices of a conversation again, once it was told whose they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from protocol.errors import BadAudio
from protocol.gallery_params import EnrollParams, IdentifyParams
from protocol.params import PathAudio
from protocol.python import RemoteError
from sidecar.tools.conversation import Conversation, HeardTurn, voice_name

# A request's params to its result; raises ``RemoteError``.
Ask: TypeAlias = Callable[[EnrollParams | IdentifyParams], dict[str, Any]]


@dataclass(slots=True)
class Enrolled:
    """What the sidecar was told of one voice: ``turns`` (their places) until there was a print.

    Without one, ``needed_s`` of speech are missing.
    """

    voice: int
    id: str | None = None
    turns: list[int] = field(default_factory=list)
    speech_s: float = 0.0
    needed_s: float = 0.0

    @property
    def has_print(self) -> bool:
        """Whether it can be known again."""
        return self.id is not None and self.needed_s <= 0


@dataclass(frozen=True, slots=True)
class NamedTurn:
    """What the sidecar says of a turn that it was not told of.

    ``voice`` is whose it is, and ``found`` whose it is said to be, each None for nobody's who is
    enrolled. ``probability`` is that of what was said. ``refused``: why nothing could be said.
    """

    turn: HeardTurn
    voice: int | None
    found: int | None = None
    probability: float | None = None
    refused: str | None = None

    @property
    def is_right(self) -> bool:
        """Whether that is so."""
        return self.refused is None and self.found == self.voice


@dataclass(frozen=True, slots=True)
class Naming:
    """What came of it; ``failure`` says why it could not go on, if it could not."""

    enrolled: list[Enrolled]
    named: list[NamedTurn]
    failure: str | None = None

    @property
    def sure(self) -> list[NamedTurn]:
        """The turns with enough speech to count."""
        return [one for one in self.named if not one.turn.is_short]

    @property
    def is_right(self) -> bool:
        """Whether all voices were enrolled, and all turns that count are named rightly."""
        is_complete = self.failure is None and all(one.has_print for one in self.enrolled)
        return is_complete and bool(self.sure) and all(one.is_right for one in self.sure)


def name_turns(conversation: Conversation, recording: Path, ask: Ask) -> Naming:
    """Enrol each voice from its first turns, as many as it takes, and have the others named.

    An audio that is refused is no failure: it may hold too little speech.
    """
    enrolled: list[Enrolled] = []
    named: list[NamedTurn] = []
    try:
        for voice, places in enumerate(conversation.groups):
            turns = [(place, conversation.heard[place]) for place in places]
            enrolled.append(_enrol(voice, turns, recording, ask))
        told_of = {place for one in enrolled for place in one.turns}
        for place, turn in enumerate(conversation.heard):
            if place not in told_of:
                voice = conversation.voices[place]
                known = voice if enrolled[voice].has_print else None
                named.append(_name(turn, known, enrolled, recording, ask))
    except RemoteError as error:
        return Naming(enrolled, named, error.message)
    return Naming(enrolled, named)


def _enrol(voice: int, turns: list[tuple[int, HeardTurn]], recording: Path, ask: Ask) -> Enrolled:
    enrolled = Enrolled(voice)
    for place, turn in turns:
        # A voice whose id is known has its name.
        name = voice_name(voice) if enrolled.id is None else None
        try:
            result = ask(EnrollParams(name, enrolled.id, _audio(turn, recording)))
        except RemoteError as error:
            if error.code != BadAudio.code:
                raise
            continue
        enrolled.needed_s = result["needed_s"]
        if not result["used"]:
            continue
        enrolled.id, enrolled.speech_s = result["id"], result["speech_s"]
        enrolled.turns.append(place)
        if enrolled.has_print:
            break
    return enrolled


def _name(
    turn: HeardTurn, voice: int | None, enrolled: list[Enrolled], recording: Path, ask: Ask
) -> NamedTurn:
    try:
        result = ask(IdentifyParams(_audio(turn, recording), top=len(enrolled)))
    except RemoteError as error:
        if error.code != BadAudio.code:
            raise
        return NamedTurn(turn, voice, refused=error.message)
    person = result.get("person")
    matches = {match["id"]: match["probability"] for match in result["matches"]}
    if person is None:
        told = [probability for probability in matches.values() if probability is not None]
        nobody = 1.0 - sum(told) if len(told) == len(matches) else None
        return NamedTurn(turn, voice, None, nobody)
    found = next((one.voice for one in enrolled if one.id == person["id"]), None)
    return NamedTurn(turn, voice, found, matches.get(person["id"]))


def _audio(turn: HeardTurn, recording: Path) -> PathAudio:
    return PathAudio(str(recording), turn.turn.start_s, turn.turn.end_s)
