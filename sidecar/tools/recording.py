"""What the demo listens to: a recording, and the turns to be sent of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from sidecar.config import EXIT_USAGE
from sidecar.tools.console import Refusal
from sidecar.tools.conversation import MIN_TURN_S
from sidecar.tools.rttm import Turn, parse_rttm

# Long enough for a voice, short enough that two people are seldom in one.
WINDOW_S = 1.5
# What is softer than the loudest window by more than this holds no speech, or little.
QUIET_DB = 30.0
# A person reads the result, and clustering takes n^3.
MAX_TURNS = 200


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


def open_annotated(path: Path, rttm_path: Path) -> Recording:
    """The turns that an RTTM file lists.

    Raises:
        Refusal: one of the files cannot be used.
    """
    path = _require_readable(path)
    try:
        text = rttm_path.read_text(encoding="utf-8-sig")
        turns = parse_rttm(text, path.stem)
    except (OSError, ValueError) as error:
        raise _unusable(f"{rttm_path} cannot be used as RTTM", error) from error
    kept = [turn for turn in turns if turn.duration_s >= MIN_TURN_S]
    remark = f"{len(turns)} turns are annotated"
    if len(kept) < len(turns):
        remark += f"; {len(turns) - len(kept)} under {MIN_TURN_S:g} s are left out"
    return _recording(path, kept, remark)


def cut(path: Path) -> Recording:
    """Equal windows over the whole recording, the quiet ones left out.

    Raises:
        Refusal: the file cannot be used.
    """
    path = _require_readable(path)
    windows, levels = _measure_windows(path)
    loud = find_loud(levels)
    kept = [windows[index] for index in loud]
    remark = f"{len(windows)} windows of {WINDOW_S:g} s, cut without regard to who speaks"
    if len(kept) < len(windows):
        remark += f"; {len(windows) - len(kept)} of them too quiet to send"
    return _recording(path, kept, remark)


def find_loud(levels: Sequence[float]) -> list[int]:
    """Where ``levels`` (RMS) are not quieter than the highest by more than ``QUIET_DB``."""
    floor = max(levels, default=0.0) * 10 ** (-QUIET_DB / 20)
    return [index for index, level in enumerate(levels) if level > 0 and level >= floor]


def _measure_windows(path: Path) -> tuple[list[Turn], list[float]]:
    windows, levels = [], []
    try:
        with soundfile.SoundFile(path) as audio:
            rate_hz = audio.samplerate
            blocks = audio.blocks(round(WINDOW_S * rate_hz), dtype="float32", always_2d=True)
            for index, block in enumerate(blocks):
                if len(block) >= MIN_TURN_S * rate_hz:
                    start_s = index * WINDOW_S
                    windows.append(Turn(start_s, start_s + len(block) / rate_hz))
                    level = float(np.sqrt(np.mean(np.square(block))))
                    levels.append(level if math.isfinite(level) else 0.0)
    except (OSError, soundfile.SoundFileError) as error:
        raise _unusable(f"{path} cannot be read as audio", error) from error
    return windows, levels


def _recording(path: Path, turns: Sequence[Turn], remark: str) -> Recording:
    if not turns:
        raise _unusable(f"{path}: {remark}; there is nothing left to send")
    if len(turns) > MAX_TURNS:
        remark += f"; only the first {MAX_TURNS} are sent"
    return Recording(path, str(path), turns[:MAX_TURNS], remark)


def _require_readable(path: Path) -> Path:
    # Not resolved: on Windows that makes a network path of a mapped drive, which is refused.
    path = path.expanduser().absolute()
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise _unusable(f"{path} cannot be read", error) from error


def _unusable(what: str, error: Exception | None = None) -> Refusal:
    why = "" if error is None else f": {getattr(error, 'strerror', None) or error}"
    return Refusal(f"{what}{why}", EXIT_USAGE)
