"""RTTM, NIST's text format for who speaks when: one ``SPEAKER`` line for each turn.

Fields, as in the Rich Transcription 2009 evaluation plan, appendix A: type, file, channel,
start (s), duration (s), orthography, speaker type, speaker, confidence, lookahead.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_N_FIELDS = 8  # the speaker is the last one that is needed
_TYPE = re.compile("[A-Z/_-]+")  # SPEAKER, and others as NON-LEX, NO_RT_METADATA, A/P


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of one recording in which one person speaks; ``speaker`` is None if not known."""

    start_s: float
    end_s: float
    speaker: str | None = None

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


def parse_rttm(text: str, recording: str) -> list[Turn]:
    """The turns in ``text``, by their start.

    Where several recordings are annotated, only the turns of the one named ``recording`` count.

    Raises:
        ValueError: a line, which the message names, is malformed; there is no turn, or none of
            ``recording``.
    """
    found: list[tuple[str, Turn]] = []
    # Not splitlines: it would also break at characters that may occur inside names.
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(";;"):
            continue
        if fields[0] == "SPEAKER":
            found.append(_read_speaker_line(number, fields))
        elif not _TYPE.fullmatch(fields[0]):
            raise ValueError(f"line {number} begins with {fields[0]!r:.40}, which is no RTTM type")
    names = {name for name, _turn in found}
    if len(names) > 1:
        found = [(name, turn) for name, turn in found if name == recording]
    if not found:
        missing = f" of {recording!r}, only of {', '.join(sorted(names))}" if names else ""
        raise ValueError(f"it has no SPEAKER line{missing}")
    return sorted((turn for _name, turn in found), key=lambda turn: (turn.start_s, turn.end_s))


def _read_speaker_line(number: int, fields: list[str]) -> tuple[str, Turn]:
    if len(fields) < _N_FIELDS:
        raise ValueError(
            f"line {number} has {len(fields)} fields, but a SPEAKER line has {_N_FIELDS} and more"
        )
    start_s = _read_seconds(number, "start", fields[3])
    duration_s = _read_seconds(number, "duration", fields[4])
    return fields[1], Turn(start_s, start_s + duration_s, fields[7])


def _read_seconds(number: int, name: str, word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"line {number}: the {name} {word!r:.40} is no number of seconds")
    return seconds
