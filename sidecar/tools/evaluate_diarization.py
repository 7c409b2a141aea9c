"""``speaker-sidecar evaluate --rttm``: how well recordings are diarized that people annotated.

The measures are pyannote.metrics': the diarization error rate (DER) with its parts, overlaps
counted; and the Jaccard error rate (JER). A collar there is the whole width around where a turn
begins or ends that is left out, so that 0.25 s is 0.125 s on each side.

With ``--against`` other programs hear the same recordings in turn, each right after the sidecar.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rich.table import Table

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.serve_options import parse_serve_options
from sidecar.tools import diarization_peers, diarized_files
from sidecar.tools.console import ProgressLine, Refusal, complain, open_console
from sidecar.tools.diarization_peers import OpenPeer, PeerFailed
from sidecar.tools.diarized_files import SUFFIXES, DiarizedFile
from sidecar.tools.recording import Turn, parse_rttm

COLLARS_S = (0.0, 0.25)
_PARTS = {"missed": "missed detection", "false_alarm": "false alarm", "confusion": "confusion"}

Report: TypeAlias = dict[str, Any]


def evaluate(options: argparse.Namespace, progress: ProgressLine) -> int:
    """Diarize what the annotations are of, and print the figures.

    Returns:
        0; 69 if a recording could not be diarized, by the sidecar or by a peer that runs here.

    Raises:
        Refusal: pyannote.metrics is not there, or an annotation or its recording cannot be used.
    """
    measures = _Measures()
    references = {_recording_of(path): _read(path) for path in options.rttm}
    words = diarized_files.serve_options(options)
    exit_code = EXIT_OK
    with contextlib.ExitStack() as closing:
        peers: list[OpenPeer] = []
        if options.against:
            opened = diarization_peers.opened(parse_serve_options(words), progress)
            peers, missing = closing.enter_context(opened)
            for why in missing:
                complain(why)
        theirs = {peer.name: _Measures() for peer in peers}
        answers = diarized_files.diarize_each(
            words,
            list(references),
            progress,
            diarized_files.params_for,
            is_timed=options.against,
        )
        for answer in answers:
            if not isinstance(answer, DiarizedFile):
                complain(f"{answer[0]}: {answer[1]}")
                exit_code = EXIT_UNAVAILABLE
                continue
            reference = references[answer.path]
            measures.add(answer, reference)
            for peer in peers:
                progress.show(f"{answer.path.name}:", peer.name)
                try:
                    theirs[peer.name].add(peer.diarize(answer.path), reference)
                except PeerFailed as error:
                    progress.clear()
                    complain(f"{answer.path}: {error}")
                    exit_code = EXIT_UNAVAILABLE
            progress.clear()
    if measures.rows:
        contenders = {"speaker-sidecar": measures, **theirs}
        _print(contenders, as_json=options.json)
    return exit_code


def _print(contenders: Mapping[str, _Measures], *, as_json: bool) -> None:
    """The first one's figures, and those of the others beside them."""
    measures, *others = contenders.values()
    if as_json:
        report = measures.report()
        if others:
            report["against"] = {
                name: one.report() for name, one in list(contenders.items())[1:] if one.rows
            }
        print(json.dumps(report, indent=2))
        return
    console, together = open_console(), measures.together()
    n_people = {"PEOPLE": "speakers", "TOLD": "told_speakers"}
    console.print(_table("in %", [*measures.rows, together], n_people))
    console.out(f"The number of people is right in {together['exact']} of {len(measures.rows)}.")
    if others:
        rows = [
            {**one.together(), "recording": name} for name, one in contenders.items() if one.rows
        ]
        console.print(
            "", _table("all, in %", rows, {"EXACT": "exact", "SECONDS": "took_s"}), sep="\n"
        )


class _Measures:
    """The measures of pyannote.metrics, which add up what they are given.

    Attributes:
        rows: the figures of each recording.
    """

    def __init__(self) -> None:
        self.rows: list[Report] = []
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

    def add(self, told: DiarizedFile, reference: Sequence[Turn]) -> None:
        """Add one recording; the parts are shares of the speech, without a collar."""
        truth = self._annotation((t.start_s, t.end_s, t.speaker or "") for t in reference)
        guess = self._annotation((t.start_s, t.end_s, t.name) for t in told.turns)
        whole = self._core.Timeline([self._core.Segment(0, told.duration_s)])
        found = [rate(truth, guess, uem=whole, detailed=True) for rate in self._rates]
        jaccard = self._jaccard(truth, guess, uem=whole)
        row = {
            "recording": told.path.stem,
            "duration_s": told.duration_s,
            "took_s": told.took_s,
            "der": [one["diarization error rate"] for one in found],
            **{name: found[0][part] / (found[0]["total"] or 1) for name, part in _PARTS.items()},
            "jer": float(jaccard),
            "speakers": len(truth.labels()),
            "told_speakers": len(guess.labels()),
        }
        self.rows.append(row)

    def report(self) -> Report:
        """Everything, for JSON."""
        return {"recordings": self.rows, "all": self.together()}

    def together(self) -> Report:
        """All recordings as if they were one: long ones count for more."""
        rows, totals = self.rows, self._rates[0]
        return {
            "recording": f"all {len(rows)}",
            "duration_s": sum(row["duration_s"] for row in rows),
            "took_s": sum(row["took_s"] for row in rows),
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


def _table(what: str, rows: Sequence[Report], counts: Mapping[str, str]) -> Table:
    """A row for each of ``rows``; ``counts``: the titles of the last columns, and what is there."""
    rates = (f"DER {collar:g}" for collar in COLLARS_S)
    titles = (what, *rates, "MISSED", "FALSE", "CONFUSED", "JER", *counts)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        is_name = title == what
        table.add_column(title, justify="left" if is_name else "right", no_wrap=is_name)
    for row in rows:
        shares = (*row["der"], *(row[name] for name in _PARTS), row["jer"])
        shown = (f"{100 * share:.1f}" for share in shares)
        table.add_row(row["recording"], *shown, *(f"{row[name]:.0f}" for name in counts.values()))
    return table
