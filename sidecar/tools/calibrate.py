"""``speaker-sidecar calibrate``: what a cosine means with the user's own microphones and people."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.text import Text

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.scores.calibration import Calibration, find_calibration, write_calibration
from sidecar.scores.measures import cllr
from sidecar.tools import heard_trials
from sidecar.tools.console import ProgressLine, Refusal, complain, exit_code_of, facts, open_console
from sidecar.tools.heard_trials import HeardTrials

# With fewer than these the numbers say more about these people than about others.
_ENOUGH_SPEAKERS, _ENOUGH_TARGETS, _ENOUGH_STRANGERS = 20, 200, 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    heard_trials.add_arguments(parser)
    out = "what serve --calibration and evaluate --calibration take"
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=out)


def run(options: argparse.Namespace) -> int:
    """Fit and write.

    Returns:
        0; 64 for options or a list that cannot be used; 69 if the model or the device is
        unavailable, scikit-learn is not installed, too few audios can be embedded, or the file
        cannot be written; 70 if the sidecar died; 74 if standard output is closed; 130 after
        Ctrl-C.
    """
    return exit_code_of(lambda progress: _calibrate(options, progress))


def _calibrate(options: argparse.Namespace, progress: ProgressLine) -> int:
    if importlib.util.find_spec("sklearn") is None:
        how = "pip install 'speaker-sidecar[evaluate]'"
        raise Refusal(f"scikit-learn must be installed: {how}", EXIT_UNAVAILABLE)
    heard = heard_trials.hear(options, progress)
    progress.show("fitting")
    try:
        calibration, crossed = fit(heard)
    except ValueError as error:
        raise Refusal(f"{options.trials} gives no calibration: {error}", EXIT_USAGE) from error
    try:
        write_calibration(calibration, heard.fingerprint, options.out)
    except OSError as error:
        raise Refusal(f"{options.out} cannot be written: {error}", EXIT_UNAVAILABLE) from error
    progress.clear()
    open_console().print(facts(_about(heard, calibration, crossed, options)))
    for remark in remarks(calibration, heard):
        complain(f"WARNING: {remark}")
    return EXIT_OK


def fit(heard: HeardTrials) -> tuple[Calibration, float | None]:
    """A calibration in which all people count evenly, and its Cllr on people it has not met.

    It is the model's own, fitted to these trials, or one from nothing where the model has none. For
    the Cllr each half of the people is judged by what the other half taught; None where one
    of them has not trials of both kinds.

    Raises:
        ValueError: see ``calibration_fit.fit``.
    """
    regression = importlib.import_module("sidecar.tools.calibration_fit")
    heard = replace(heard, trials=heard.trials.evenly_weighted())
    known = find_calibration(heard.fingerprint)

    def teach(some: HeardTrials) -> Calibration:
        trials = some.trials, some.speech_s_a, some.speech_s_b
        taught = regression.adapt(known, *trials) if known else regression.fit(*trials)
        assert isinstance(taught, Calibration)
        return taught

    calibration = teach(heard)
    trials = heard.trials
    _names, places = np.unique([trials.speakers_a, trials.speakers_b], return_inverse=True)
    halves = places.reshape(2, -1) % 2
    costs = []
    for half in (0, 1):
        met, new = (heard.where((halves == which).all(axis=0)) for which in (half, 1 - half))
        try:
            judged = new.calibrated(teach(met))
            costs.append(cllr(judged.scores, judged.is_target, judged.weights))
        except ValueError:
            return calibration, None
    return calibration, float(np.mean(costs))


def remarks(calibration: Calibration, heard: HeardTrials) -> Iterator[str]:
    """What is too little to rely on."""
    counts = {
        "people with trials of one person": (heard.trials.n_target_speakers, _ENOUGH_SPEAKERS),
        "trials of one person": (calibration.targets, _ENOUGH_TARGETS),
        "pairs of two people": (calibration.strangers, _ENOUGH_STRANGERS),
    }
    for what, (n, enough) in counts.items():
        if n < enough:
            yield f"only {n:,} {what}: with fewer than {enough:,} it holds for these people at best"


def _about(
    heard: HeardTrials, calibration: Calibration, crossed: float | None, options: argparse.Namespace
) -> Iterator[tuple[str | Text, str]]:
    yield from heard_trials.about(heard)
    yield "bounds", f"llr from {calibration.least:.1f} to {calibration.most:.1f}"
    own = heard.calibrated(calibration)
    yield "Cllr", f"{cllr(own.scores, own.is_target):.3f} on these trials themselves"
    if crossed is not None:
        yield "", f"{crossed:.3f} on one half of the people, fitted on the other"
    before = find_calibration(heard.fingerprint)
    if before is not None:
        old = heard.calibrated(before)
        yield "", f"{cllr(old.scores, old.is_target):.3f} with the model's own calibration"
    yield "written", str(options.out)
