"""Fits calibrations: ``python tests/model/fit_calibration.py --pieces DIR [--write]``.

DIR is what ``people_material.py`` made. Without ``--write`` it prints how calibrations do on people
they never met: fitted on two corpora, judged on the third. With it, it writes those that are built
in, ``sidecar/scores/built_in.py``, fitted on everybody.
"""

from __future__ import annotations

import argparse
import pprint
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from people_trials import CORPORA, Drawn, draw, load

from sidecar.scores.trials import measure
from sidecar.tools.calibration_fit import fit

BUILT_IN = Path(__file__).resolve().parents[2] / "sidecar" / "scores" / "built_in.py"
HEAD = '''"""The calibrations of the catalog's models, by fingerprint: plain numbers.

Written by ``tests/model/fit_calibration.py``; docs/scores.md says what they were fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUILT_IN: Mapping[str, Mapping[str, Any]] = '''
MODELS = ("campplus-zh-en", "ecapa-voxceleb")
KINDS = {"as recorded": ("clean",), "other microphones": ("clean", "other")}
# What is fitted, and what it is judged on: nobody is in both.
HELD_OUT = [(tuple(c for c in CORPORA if c != out), out) for out in CORPORA]
N_DRAWS = 100


def llrs_of(calibration, drawn: Drawn):
    return calibration.llrs(drawn.trials.scores, drawn.speech_s_a, drawn.speech_s_b)


def fitted(drawn: Drawn):
    return fit(drawn.trials, drawn.speech_s_a, drawn.speech_s_b)


def without_duration(drawn: Drawn):
    """A calibration that knows the cosine alone."""
    everywhere = np.full(len(drawn.a), 1e3)
    return fit(drawn.trials, everywhere, everywhere)


def judge(drawn: Drawn, calibration, plain) -> list[str]:
    """EER, minimum Cllr, Cllr before and after, errors at nominal rates."""
    trials = drawn.trials
    ends = np.full(len(drawn.a), 1e3)
    before = replace(
        trials, scores=llrs_of(plain, replace(drawn, speech_s_a=ends, speech_s_b=ends))
    )
    after = replace(trials, scores=llrs_of(calibration, drawn))
    cells = [f"{100 * measure(after, 'eer', 0).value:.2f} %"]
    for which, name in ((after, "min_cllr"), (before, "cllr"), (after, "cllr")):
        figure = measure(which, name, N_DRAWS)
        cells.append(f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})")
    of_two = ~trials.is_target
    sides = (drawn.speech_s_a, drawn.speech_s_b)
    for far in (0.01, 0.001):
        thresholds = np.array(
            [calibration.threshold(far, a, b) for a, b in zip(*sides, strict=True)]
        )
        accepted = after.scores >= thresholds
        taken = np.average(accepted[of_two], weights=trials.weights[of_two])
        refused = np.average(~accepted[~of_two], weights=trials.weights[~of_two])
        cells.append(f"{100 * taken:.3f} % / {100 * refused:.1f} %")
    return cells


def held_out(folder: Path, model: str):
    print(f"\n{model}: people that the calibration never met")
    print("| judged on | | EER | minimum Cllr | Cllr, cosine alone | Cllr | far 1 % | far 0.1 % |")
    for known, unknown in HELD_OUT:
        training = draw(load(folder, model, known))
        calibration, plain = fitted(training), without_duration(training)
        test = load(folder, model, (unknown,))
        for name, kinds in KINDS.items():
            cells = judge(draw(test, kinds, seed=1), calibration, plain)
            print("|", " | ".join([unknown, name, *cells]), "|", flush=True)


def write(calibrations):
    text = pprint.pformat(calibrations, width=96, sort_dicts=False, underscore_numbers=False)
    BUILT_IN.write_text(HEAD + text + "\n", "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", required=True, type=Path)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    calibrations = {}
    for model in options.model or MODELS:
        if options.write:
            everybody = load(options.pieces, model)
            calibrations[everybody.fingerprint] = asdict(fitted(draw(everybody)))
        else:
            held_out(options.pieces, model)
    if options.write:
        write(calibrations)


if __name__ == "__main__":
    main()
