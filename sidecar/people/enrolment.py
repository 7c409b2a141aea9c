"""What becomes of voices that a host says are one person's: which print each goes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from sidecar.people.records import PRINT_S, Print
from sidecar.people.voices import Vector

# Seconds of speech: what has less than the first is not kept, and than the second improves no
# print. Prints of less than a second are what fills galleries with people who are nobody.
LEAST_S, IMPROVE_S = 1.0, 2.0
# Complete prints of one person and model; and as many that wait for more speech.
MAX_PRINTS = 8

# Whether a cosine, of so many seconds of speech on each side, is one voice's.
IsAlike: TypeAlias = Callable[[float, float, float], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One of the voices: a unit vector, shape (dim,), of ``speech_s`` of speech."""

    unit: Vector
    speech_s: float


@dataclass(slots=True, eq=False)
class Enrolment:
    """One enrolment: call ``enrol`` once, then write ``changed`` and remove ``gone``.

    Attributes:
        prints: those of the person that are of this model and not adapted, the oldest first.
        changed: those of them that are new, or have more in them than before.
        gone: those that went into others.
        used: the voices that were kept.
        outliers: the places of those that are not like the others.
        agreement: see ``EnrollResult``.
        differs: whether one is not like the prints that were there.
        is_full: whether one was left out for it, as there are ``MAX_PRINTS``.
    """

    fingerprint: str
    prints: list[Print]
    is_alike: IsAlike
    now_ms: int
    changed: list[Print] = field(default_factory=list)
    gone: list[Print] = field(default_factory=list)
    used: list[Heard] = field(default_factory=list)
    outliers: list[int] = field(default_factory=list)
    agreement: float | None = None
    differs: bool = False
    is_full: bool = False

    def enrol(self, voices: Sequence[Heard]) -> None:
        """Put each where it belongs."""
        long_enough = [place for place, voice in enumerate(voices) if voice.speech_s >= LEAST_S]
        heard = [voices[place] for place in long_enough]
        self.outliers = [long_enough[place] for place in self._outliers(heard)]
        chosen = [voices[place] for place in long_enough if place not in self.outliers]
        before = [(kept.unit, kept.speech_s) for kept in self.prints]
        self.used = [voice for voice in chosen if self._place(voice)]
        self.agreement = _agreement(self.used, before)

    def _place(self, voice: Heard) -> bool:
        """Whether it was kept."""
        complete = [kept for kept in self.prints if kept.is_complete]
        home = self._most_alike(voice.unit, voice.speech_s, complete)
        self.differs = self.differs or (home is None and bool(complete))
        if home is None and len(complete) >= MAX_PRINTS:
            self.is_full = True
            return False
        if home is not None and voice.speech_s >= IMPROVE_S:
            self._add(home, voice.unit * np.float32(voice.speech_s), voice.speech_s, 1)
            return True
        waiting = [kept for kept in self.prints if not kept.is_complete]
        draft = self._most_alike(voice.unit, voice.speech_s, waiting)
        if draft is None:
            draft = Print(self.fingerprint, np.zeros_like(voice.unit), 0, self.now_ms, self.now_ms)
            self.prints.append(draft)
            waiting.append(draft)
        self._add(draft, voice.unit * np.float32(voice.speech_s), voice.speech_s, 1)
        # What has waited may by now be enough to improve a print.
        home = self._most_alike(draft.unit, draft.speech_s, complete)
        if home is not None and draft.speech_s >= IMPROVE_S:
            self._add(home, draft.total, draft.speech_s, draft.audios)
            self._remove(draft)
        elif draft.is_complete and len(complete) >= MAX_PRINTS:
            self._remove(draft)
            self.is_full = True
            return False
        elif len(waiting) > MAX_PRINTS:
            self._remove(waiting[0])
        return True

    def _add(self, kept: Print, total: Vector, speech_s: float, audios: int) -> None:
        kept.total = kept.total + total
        kept.speech_s += speech_s
        kept.audios += audios
        kept.updated_ms = self.now_ms
        if kept not in self.changed:
            self.changed.append(kept)

    def _remove(self, kept: Print) -> None:
        self.prints.remove(kept)
        if kept in self.changed:
            self.changed.remove(kept)
        if kept.number:
            self.gone.append(kept)

    def _most_alike(self, unit: Vector, speech_s: float, among: Sequence[Print]) -> Print | None:
        """The nearest of these prints, if it is of the same voice."""
        cosines = [float(kept.unit @ unit) for kept in among]
        if not cosines:
            return None
        first = int(np.argmax(cosines))
        nearest = among[first]
        return nearest if self.is_alike(cosines[first], speech_s, nearest.speech_s) else None

    def _outliers(self, voices: Sequence[Heard]) -> list[int]:
        """Those of three and more that are like none of the others, nor like all of them together.

        Of two that differ, nobody can say which is the wrong one. One that is like a print of the
        person is none.
        """
        if len(voices) < 3:
            return []
        units = np.stack([voice.unit for voice in voices])
        seconds = np.array([voice.speech_s for voice in voices], np.float32)
        cosines = units @ units.T
        total = seconds @ units
        found = []
        for place, voice in enumerate(voices):
            others = total - seconds[place] * units[place]
            others_s = float(seconds.sum() - seconds[place])
            together = float(others @ voice.unit / max(float(np.linalg.norm(others)), 1e-12))
            is_like_one = any(
                self.is_alike(float(cosines[place, other]), voice.speech_s, float(seconds[other]))
                for other in range(len(voices))
                if other != place
            )
            if not (
                is_like_one
                or self.is_alike(together, voice.speech_s, others_s)
                or self._most_alike(voice.unit, voice.speech_s, self.prints)
            ):
                found.append(place)
        # Where none is like another, there are no others to be unlike.
        return found if len(found) <= len(voices) / 2 else []


def needed_s(prints: Sequence[Print]) -> float:
    """The seconds of speech that are missing for a print; 0: there is one."""
    return max(0.0, PRINT_S - max((kept.speech_s for kept in prints), default=0.0))


def _agreement(used: Sequence[Heard], before: Sequence[tuple[Vector, float]]) -> float | None:
    if before:
        cosines = [max(float(unit @ voice.unit) for unit, _ in before) for voice in used]
    else:
        cosines = [
            float(a.unit @ b.unit) for place, a in enumerate(used) for b in used[place + 1 :]
        ]
    return sum(cosines) / len(cosines) if cosines else None
