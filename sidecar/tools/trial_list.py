"""Lists of trials, as text, CSV or JSON lines: which two audios, and whether one person speaks.

Text has three words a line, in VoxCeleb's order (``1 a.wav b.wav``) or Kaldi's (``a.wav b.wav
target``). CSV (``.csv``) and JSON lines (``.jsonl``) name them: ``a``, ``b``, ``same``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.config import EXIT_USAGE
from sidecar.tools.console import Refusal

_MEANINGS = {"1": True, "target": True, "true": True} | {
    "0": False,
    "nontarget": False,
    "false": False,
}


@dataclass(frozen=True, slots=True)
class ListedTrial:
    """Two audios, by absolute path, and whether one person speaks in both."""

    a: Path
    b: Path
    same: bool


def read_trials(file: Path, root: Path | None = None) -> list[ListedTrial]:
    """The trials in ``file``; relative paths begin at ``root``, or where the file is.

    Raises:
        Refusal: it cannot be read, a line is malformed, or there are not trials of both kinds.
    """
    start = (root or file.parent).expanduser().absolute()
    try:
        lines = file.read_text("utf-8-sig").splitlines()
        trials = [
            ListedTrial(start / a, start / b, _meaning(label))
            for a, b, label in _FORMS.get(file.suffix.lower(), _text)(lines)
        ]
    except (OSError, ValueError) as error:
        raise Refusal(f"{file} cannot be used as trials: {error}", EXIT_USAGE) from error
    if {trial.same for trial in trials} != {True, False}:
        kind = "of two people" if trials and trials[0].same else "of one person"
        raise Refusal(f"{file}: there is no trial {kind}", EXIT_USAGE)
    return trials


def _text(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) == 3 and words[0].lower() in _MEANINGS:
            label, a, b = words
        elif len(words) == 3 and words[2].lower() in _MEANINGS:
            a, b, label = words
        else:
            raise ValueError(
                f"line {number} is neither 'LABEL A B' nor 'A B LABEL', with 1, 0, target or "
                f"nontarget as LABEL, and paths without spaces: {line!r:.70}"
            )
        yield a, b, label


def _csv(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for number, row in enumerate(csv.DictReader(lines), start=2):
        yield _named(row, number)


def _json_lines(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row = json.loads(line)
            yield _named(row if isinstance(row, dict) else {}, number)


_FORMS = {".csv": _csv, ".jsonl": _json_lines}


def _named(row: Mapping[str, object], number: int) -> tuple[str, str, str]:
    a, b, label = (row.get(name) for name in ("a", "b", "same"))
    if not (isinstance(a, str) and isinstance(b, str) and str(label).lower() in _MEANINGS):
        raise ValueError(f"line {number} has not a, b, and same with 1 or 0: {row!r:.70}")
    return a, b, str(label)


def _meaning(label: str) -> bool:
    return _MEANINGS[label.lower()]
