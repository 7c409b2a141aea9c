"""Prints what adaptive s-norm would bring: ``python tests/model/measure_snorm.py --pieces DIR``.

DIR is what ``people_material.py`` made. A score is seen from both sides as so many standard
deviations above the mean of the highest scores that the side has with a cohort (P. Matejka and
others, "Analysis of score normalization in multilingual speaker recognition", Interspeech 2017).
The cohort is every second person of the 120; what is calibrated has never met those who are judged,
and nobody is in the cohort and among the trials.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from measure_people import MODELS, whole
from people_trials import draw, load

from sidecar.scores import measures

JUDGED = {"librispeech": ("cohort", "conversations"), "conversations": ("cohort", "librispeech")}
HIGHEST = (10, 20, 60)
HALF_S = 1.259


def normalised(drawn, pieces, cohort, n_highest):
    """The scores of the trials after adaptive s-norm; None: as they are."""
    if n_highest is None:
        return drawn.trials.scores
    highest = np.sort(pieces.embedding @ cohort.T, axis=1)[:, -n_highest:]
    means, spreads = highest.mean(axis=1), highest.std(axis=1)
    sides = [(drawn.trials.scores - means[side]) / spreads[side] for side in (drawn.a, drawn.b)]
    return np.mean(sides, axis=0)


def features(scores, drawn):
    shares = [speech_s / (speech_s + HALF_S) for speech_s in (drawn.speech_s_a, drawn.speech_s_b)]
    reliability = np.sqrt(shares[0] * shares[1])
    return np.stack([scores, reliability, scores * reliability], axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", required=True, type=Path)
    options = parser.parse_args()
    for model in MODELS:
        people = load(options.pieces, model, ("cohort",))
        names = np.unique(people.speaker)[::2]
        utterances = whole(people, "clean")
        cohort = utterances.embedding[np.isin(utterances.speaker, names)]
        for unknown, known in JUDGED.items():
            met = load(options.pieces, model, known)
            met = met.where(~((met.corpus == "cohort") & np.isin(met.speaker, names)))
            fitted_on, pieces = draw(met), load(options.pieces, model, (unknown,))
            judged = draw(pieces, ("clean",), seed=1)
            trials = fitted_on.trials
            weights = trials.n_speakers * measures.balanced(trials.is_target, trials.weights)
            for n_highest in (None, *HIGHEST):
                regression = LogisticRegression(C=100, max_iter=3000)
                scores = normalised(fitted_on, met, cohort, n_highest)
                regression.fit(features(scores, fitted_on), trials.is_target, weights)
                scores = normalised(judged, pieces, cohort, n_highest)
                llrs = np.clip(regression.decision_function(features(scores, judged)), -5, 8.9)
                found = replace(judged.trials, scores=llrs)
                sides = (found.scores, found.is_target, found.weights)
                print(
                    f"{model}, {unknown}, {n_highest or 'no'} cohort scores: "
                    f"Cllr {measures.cllr(*sides):.3f}, minimum {measures.min_cllr(*sides):.3f}, "
                    f"EER {100 * measures.error_rates(*sides).eer:.2f} %",
                    flush=True,
                )


if __name__ == "__main__":
    main()
