"""What the demo listens to: a recording, and the turns to be sent of it.

They come from RTTM, NIST's text format for who speaks when, one ``SPEAKER`` line for each turn; or
the recording is cut blindly. RTTM's fields, as in the Rich Transcription 2009 evaluation plan,
appendix A: type, file, channel, start (s), duration (s), orthography, speaker type, speaker,
confidence, lookahead.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
import soundfile

from sidecar.config import EXIT_USAGE
from sidecar.tools.console import Refusal

MIN_TURN_S = 1.0
# Long enough for a voice, short enough that two people are seldom in one.
WINDOW_S = 1.5
# What is softer than the loudest window by more than this holds no speech, or little.
QUIET_DB = 30.0
# A person reads the result, and clustering takes n^4.
MAX_TURNS = 200

_SECONDS = r"(\d{1,9}(?:\.\d*)?(?:e-\d+)?|\.\d+)"
_SPEAKER_LINE = re.compile(
    rf"\s*SPEAKER (\S+) \S+ {_SECONDS} {_SECONDS} \S+ \S+ (\S+)".replace(" ", r"\s+"), re.ASCII
)
# Nothing, a comment, or another type, such as NON-LEX, NO_RT_METADATA, A/P.
_OTHER_LINE = re.compile(r"\s*($|;;|(?!SPEAKER(\s|$))[A-Z/_-]+(\s|$))")


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


@dataclass(frozen=True, slots=True)
class Recording:
    """An absolute path and its turns, of ``MIN_TURN_S`` and more each.

    ``remark`` says how the turns came about, and what of the recording is not among them.
    """

    path: Path
    title: str
    turns: Sequence[Turn]
    remark: str
    is_sample: bool = False


def open_recording(path: Path, rttm: Path | None) -> Recording:
    """The turns that an RTTM file lists, or else equal windows, without the quiet ones.

    Raises:
        Refusal: one of the files cannot be used.
    """
    # Not resolved: on Windows that makes a network path of a mapped drive, which is refused.
    path = path.expanduser().absolute()
    with _refusing(f"{path} cannot be read"):
        path.open("rb").close()
    if rttm is None:
        with _refusing(f"{path} cannot be read as audio"):
            found, turns = _cut(path)
        remark = f"{len(found)} windows of {WINDOW_S:g} s, cut without regard to who speaks"
        left_out = "of them too quiet to send"
    else:
        with _refusing(f"{rttm} cannot be used as RTTM"):
            found = parse_rttm(rttm.read_text(encoding="utf-8-sig"), path.stem)
        turns = [turn for turn in found if turn.duration_s >= MIN_TURN_S]
        remark = f"{len(found)} turns are annotated"
        left_out = f"under {MIN_TURN_S:g} s are left out"
    if len(turns) < len(found):
        remark += f"; {len(found) - len(turns)} {left_out}"
    if not turns:
        raise Refusal(f"{path}: {remark}; there is nothing left to send", EXIT_USAGE)
    if len(turns) > MAX_TURNS:
        remark += f"; only the first {MAX_TURNS} are sent"
    return Recording(path, str(path), turns[:MAX_TURNS], remark)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        raise Refusal(f"{what}: {getattr(error, 'strerror', None) or error}", EXIT_USAGE) from error


def _cut(path: Path) -> tuple[list[Turn], list[Turn]]:
    """All windows, and those that are not quiet."""
    windows, levels = [], []
    with soundfile.SoundFile(path) as audio:
        rate_hz = audio.samplerate
        blocks = audio.blocks(round(WINDOW_S * rate_hz), dtype="float32", always_2d=True)
        for index, block in enumerate(blocks):
            if len(block) >= MIN_TURN_S * rate_hz:
                start_s = index * WINDOW_S
                windows.append(Turn(start_s, start_s + len(block) / rate_hz))
                levels.append(np.sqrt(np.mean(np.square(block))))
    known = np.nan_to_num(levels, nan=0.0, posinf=0.0)
    floor = known.max(initial=0.0) * 10 ** (-QUIET_DB / 20)
    return windows, [windows[index] for index in np.flatnonzero((known > 0) & (known >= floor))]


def parse_rttm(text: str, recording: str) -> list[Turn]:
    """The turns in ``text``, by their start.

    Where several recordings are annotated, only the turns of the one named ``recording`` count.

    Raises:
        ValueError: a line, which the message names, is malformed; there is no turn, or none of
            ``recording``.
    """
    found = defaultdict(list)
    # Not splitlines: it would also break at characters that may occur inside names.
    for number, line in enumerate(text.split("\n"), start=1):
        if match := _SPEAKER_LINE.match(line):
            name, start_s, duration_s, speaker = match.groups()
            found[name].append(Turn(float(start_s), float(start_s) + float(duration_s), speaker))
        elif not _OTHER_LINE.match(line):
            raise ValueError(f"line {number} is malformed: {line.strip()!r:.70}")
    name = recording if len(found) > 1 else next(iter(found), "")
    if name not in found:
        missing = f" of {name!r}, only of {', '.join(sorted(found))}" if found else ""
        raise ValueError(f"it has no SPEAKER line{missing}")
    return sorted(found[name], key=attrgetter("start_s", "end_s"))
