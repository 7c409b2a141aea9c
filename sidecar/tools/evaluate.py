"""``speaker-sidecar evaluate``: how well a model and its calibration do on trials of one's own."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.scores.calibration import Calibration, find_calibration
from sidecar.scores.decision import OperatingPoint, decide
from sidecar.scores.measures import PRIORS
from sidecar.scores.trials import Figure, measure
from sidecar.serve_options import positive
from sidecar.tools import evaluate_diarization, heard_trials
from sidecar.tools.console import ProgressLine, Refusal, exit_code_of, facts, open_console
from sidecar.tools.det_curve import draw
from sidecar.tools.heard_trials import HeardTrials

Report = dict[str, Any]

_FARS = (0.01, 0.001)
_NAMES = {
    "eer": "equal error rate",
    **{f"min_dcf_{prior:g}": f"minDCF, prior {prior:g}" for prior in PRIORS},
    "cllr": "Cllr",
    "min_cllr": "minimum Cllr",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    heard_trials.add_arguments(parser, is_required=False)
    add = parser.add_argument
    rttm = "instead of trials: annotations of recordings beside them; by diarize and its model"
    add("--rttm", nargs="+", type=Path, metavar="REF", help=rttm)
    against = "with --rttm: beside sherpa-onnx and senko, where they are installed"
    add("--against", action="store_true", help=against)
    calibration = "what calibrate wrote; default: the model's own"
    add("--calibration", type=Path, metavar="FILE", help=calibration)
    add("--det", type=Path, metavar="FILE", help="draw the DET curve, as PNG or SVG")
    add("--threads", type=positive, metavar="N", help="with --rttm: as for serve")
    add("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Measure and print.

    Returns:
        0; 64 for options or a list that cannot be used; 69 if the model or the device is
        unavailable, or too few audios can be embedded; 70 if the sidecar died; 74 if standard
        output is closed; 130 after Ctrl-C.
    """
    return exit_code_of(lambda progress: _evaluate(options, progress))


def _evaluate(options: argparse.Namespace, progress: ProgressLine) -> int:
    if (options.trials is None) == (options.rttm is None):
        raise Refusal("name a list of TRIALS, or annotations with --rttm", EXIT_USAGE)
    if options.against and options.rttm is None:
        raise Refusal("--against goes with --rttm", EXIT_USAGE)
    if options.rttm is not None:
        return evaluate_diarization.evaluate(options, progress)
    if options.det and importlib.util.find_spec("matplotlib") is None:
        how = "pip install 'speaker-sidecar[evaluate]'"
        raise Refusal(f"for --det, matplotlib must be installed: {how}", EXIT_UNAVAILABLE)
    heard = heard_trials.hear(options, progress)
    try:
        calibration = find_calibration(heard.fingerprint, options.calibration)
    except (OSError, ValueError) as error:
        raise Refusal(f"--calibration: {error}", EXIT_USAGE) from error
    progress.show("drawing speakers anew, for the intervals")
    report = report_on(heard, calibration)
    progress.clear()
    print(json.dumps(report, indent=2)) if options.json else _show(report, heard)
    if options.det:
        draw(heard.trials if calibration is None else heard.calibrated(calibration), options.det)
    return EXIT_OK


def report_on(heard: HeardTrials, calibration: Calibration | None) -> Report:
    """All figures; those of the calibration only where there is one."""
    trials = heard.trials
    figures = {name: measure(trials, name) for name in _NAMES if name != "cllr"}
    report: Report = {
        "trials": {
            "targets": int(trials.is_target.sum()),
            "strangers": int((~trials.is_target).sum()),
            "speakers": trials.n_speakers,
            "target_speakers": trials.n_target_speakers,
            "audios": heard.n_audios,
            "skipped_trials": heard.n_skipped,
            "skipped_audios": {str(path): why for path, why in heard.refused.items()},
            "mislabelled_trials": heard.n_mislabelled,
        },
        "fingerprint": heard.fingerprint,
        "calibration": None,
    }
    if calibration is not None:
        calibrated = heard.calibrated(calibration)
        # Ranked by likelihood ratios, which know of lengths what the cosines do not.
        figures = {name: measure(calibrated, name) for name in _NAMES}
        report["calibration"] = {
            "speakers": calibration.speakers,
            "targets": calibration.targets,
            "strangers": calibration.strangers,
            "decisions": [_decisions(heard, calibration, far) for far in _FARS],
        }
    report["figures"] = {name: asdict(figure) for name, figure in figures.items()}
    return report


def _decisions(heard: HeardTrials, calibration: Calibration, far: float) -> Report:
    """What comes of asking for ``far``: the share of strangers accepted, of people refused."""
    point, is_target = OperatingPoint(far=far), heard.trials.is_target
    trials = zip(heard.trials.scores, heard.speech_s_a, heard.speech_s_b, strict=True)
    same = np.array([decide(calibration, *trial, point).same for trial in trials])
    accepted, refused = same[~is_target].mean(), 1 - same[is_target].mean()
    return {"at": point.at, "strangers_accepted": accepted, "targets_refused": refused}


def _show(report: Report, heard: HeardTrials) -> None:
    console = open_console()
    console.print(facts(_about(report, heard)))
    table = Table("", "", "95 % of draws", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name, found in report["figures"].items():
        table.add_row(_NAMES[name], *_cells(name, Figure(**found)))
    console.print("", table, sep="\n")
    for decision in (report["calibration"] or {}).get("decisions", ()):
        accepted, refused = decision["strangers_accepted"], decision["targets_refused"]
        console.print(
            f"at {decision['at']}: {100 * accepted:.2f} % of the strangers are accepted, "
            f"{100 * refused:.2f} % of the speakers refused"
        )


def _about(report: Report, heard: HeardTrials) -> Iterator[tuple[str | Text, str]]:
    yield from heard_trials.about(heard)
    if report["calibration"] is None:
        yield (
            Text("WARNING", style="yellow"),
            "no calibration: there is none for this model; see calibrate",
        )
    else:
        speakers, strangers = (report["calibration"][key] for key in ("speakers", "strangers"))
        yield "calibration", f"fitted on {speakers:,} people, {strangers:,} pairs of two"


def _cells(name: str, figure: Figure) -> tuple[str, str]:
    numbers = [figure.value, figure.low, figure.high]
    shown = [f"{100 * n:.2f} %" if name == "eer" else f"{n:.3f}" for n in numbers]
    return shown[0], f"{shown[1]} to {shown[2]}"
