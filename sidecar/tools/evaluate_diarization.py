"""``speaker-sidecar evaluate --rttm``: how well recordings are diarized that people annotated.

The measures are pyannote.metrics': the diarization error rate (DER) with its parts, overlaps
counted; and the Jaccard error rate (JER). A collar there is the whole width around where a turn
begins or ends that is left out, so that 0.25 s is 0.125 s on each side.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rich.table import Table

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.tools import diarized_files
from sidecar.tools.console import ProgressLine, Refusal, complain, open_console
from sidecar.tools.diarized_files import SUFFIXES, DiarizedFile
from sidecar.tools.recording import Turn, parse_rttm

COLLARS_S = (0.0, 0.25)
_PARTS = {"missed": "missed detection", "false_alarm": "false alarm", "confusion": "confusion"}

Report: TypeAlias = dict[str, Any]


def evaluate(options: argparse.Namespace, progress: ProgressLine) -> int:
    """Diarize what the annotations are of, and print the figures.

    Returns:
        0; 69 if a recording could not be diarized.

    Raises:
        Refusal: pyannote.metrics is not there, or an annotation or its recording cannot be used.
    """
    measures = _Measures()
    references = {_recording_of(path): _read(path) for path in options.rttm}
    words = diarized_files.serve_options(options)
    exit_code = EXIT_OK
    rows: list[Report] = []
    answers = diarized_files.diarize_each(
        words, list(references), progress, diarized_files.params_for
    )
    for answer in answers:
        if isinstance(answer, DiarizedFile):
            rows.append(measures.add(answer, references[answer.path]))
        else:
            complain(f"{answer[0]}: {answer[1]}")
            exit_code = EXIT_UNAVAILABLE
    if not rows:
        return exit_code
    together = measures.together(rows)
    if options.json:
        print(json.dumps({"recordings": rows, "all": together}, indent=2))
    else:
        console = open_console()
        console.print(_table([*rows, together]))
        console.out(f"The number of people is right in {together['exact']} of {len(rows)}.")
    return exit_code


class _Measures:
    """The measures of pyannote.metrics, which add up what they are given."""

    def __init__(self) -> None:
        try:
            self._core = importlib.import_module("pyannote.core")
            diarization = importlib.import_module("pyannote.metrics.diarization")
        except ImportError as error:
            how = "pip install 'speaker-sidecar[evaluate]'"
            raise Refusal(
                f"for --rttm, pyannote.metrics must be installed: {how}", EXIT_UNAVAILABLE
            ) from error
        self._rates = [diarization.DiarizationErrorRate(collar=collar) for collar in COLLARS_S]
        self._jaccard = diarization.JaccardErrorRate()

    def add(self, told: DiarizedFile, reference: Sequence[Turn]) -> Report:
        """The figures of one recording; the parts are shares of the speech, without a collar."""
        truth = self._annotation((t.start_s, t.end_s, t.speaker or "") for t in reference)
        guess = self._annotation((t.start_s, t.end_s, t.name) for t in told.turns)
        whole = self._core.Timeline([self._core.Segment(0, told.duration_s)])
        found = [rate(truth, guess, uem=whole, detailed=True) for rate in self._rates]
        jaccard = self._jaccard(truth, guess, uem=whole)
        return {
            "recording": told.path.stem,
            "duration_s": told.duration_s,
            "der": [one["diarization error rate"] for one in found],
            **{name: found[0][part] / (found[0]["total"] or 1) for name, part in _PARTS.items()},
            "jer": float(jaccard),
            "speakers": len(truth.labels()),
            "told_speakers": len(guess.labels()),
        }

    def together(self, rows: Sequence[Report]) -> Report:
        """All recordings as if they were one: long ones count for more."""
        totals = self._rates[0]
        return {
            "recording": f"all {len(rows)}",
            "duration_s": sum(row["duration_s"] for row in rows),
            "der": [abs(rate) for rate in self._rates],
            **{name: totals[part] / (totals["total"] or 1) for name, part in _PARTS.items()},
            "jer": abs(self._jaccard),
            "speakers": sum(row["speakers"] for row in rows),
            "told_speakers": sum(row["told_speakers"] for row in rows),
            "exact": sum(row["speakers"] == row["told_speakers"] for row in rows),
        }

    def _annotation(self, turns: Iterable[tuple[float, float, str]]) -> Any:  # noqa: ANN401
        annotation = self._core.Annotation()
        for number, (start_s, end_s, name) in enumerate(turns):
            annotation[self._core.Segment(start_s, end_s), number] = name
        return annotation


def _recording_of(annotation: Path) -> Path:
    """The recording beside it that has its name."""
    beside = sorted(annotation.parent.glob(f"{annotation.stem}.*"))
    found = [path for path in beside if path.suffix.lower() in SUFFIXES]
    if not found:
        raise Refusal(f"{annotation}: no recording of that name is beside it", EXIT_USAGE)
    return found[0]


def _read(annotation: Path) -> list[Turn]:
    try:
        return parse_rttm(annotation.read_text(encoding="utf-8-sig"), annotation.stem)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise Refusal(f"{annotation} cannot be used as RTTM: {why}", EXIT_USAGE) from error


def _table(rows: Sequence[Report]) -> Table:
    rates = (f"DER {collar:g}" for collar in COLLARS_S)
    titles = ("in %", *rates, "MISSED", "FALSE", "CONFUSED", "JER", "PEOPLE", "TOLD")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        is_name = title == "in %"
        table.add_column(title, justify="left" if is_name else "right", no_wrap=is_name)
    for row in rows:
        shares = (*row["der"], *(row[name] for name in _PARTS), row["jer"])
        shown = (f"{100 * share:.1f}" for share in shares)
        table.add_row(row["recording"], *shown, str(row["speakers"]), str(row["told_speakers"]))
    return table
