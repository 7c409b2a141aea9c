"""Prints who is recognised and who is not: ``python tests/model/measure_people.py --pieces DIR``.

DIR is what ``people_material.py`` made. The five people of ``../shared/audio/librispeech`` are
enrolled with three utterances each, as the mean of unit vectors, and must be found again in their
other seven; whoever is not enrolled must be unknown: each of the five in turn, and the 120 of the
cohort. Then all pairs of the 50 utterances: whole, their middle second, one second of speech.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fit_calibration import fitted
from people_trials import Pieces, draw, load

from sidecar.scores.calibration import find_calibration
from sidecar.scores.decision import OperatingPoint, decide_among
from sidecar.scores.trials import Trials, measure

MODELS = ("campplus-zh-en", "ecapa-voxceleb")
N_ENROLLED = 3
POINTS = (OperatingPoint(), OperatingPoint(far=0.001), OperatingPoint(prior=0.5))


@dataclass(frozen=True, eq=False)
class Enrolled:
    names: tuple[str, ...]
    prints: np.ndarray
    speech_s: np.ndarray

    def without(self, name):
        kept = np.array([other != name for other in self.names])
        names = tuple(other for other in self.names if other != name)
        return Enrolled(names, self.prints[kept], self.speech_s[kept])


def enrol(people: Pieces) -> tuple[Enrolled, Pieces]:
    """The five, from their first utterances, and the rest."""
    names = tuple(np.unique(people.speaker).tolist())
    taken = np.zeros(len(people), bool)
    prints, speech_s = [], []
    for name in names:
        first = np.flatnonzero(people.speaker == name)[:N_ENROLLED]
        taken[first] = True
        mean = people.embedding[first].mean(axis=0)
        prints.append(mean / np.linalg.norm(mean))
        speech_s.append(people.speech_s[first].sum())
    return Enrolled(names, np.array(prints), np.array(speech_s)), people.where(~taken)


def identify(enrolled, pieces, calibration, point):
    """For each piece the name that is answered, None for unknown."""
    answers = []
    for embedding, speech_s in zip(pieces.embedding, pieces.speech_s, strict=True):
        cosines = (enrolled.prints @ embedding).astype(np.float64)
        found = decide_among(calibration, cosines, enrolled.speech_s, float(speech_s), point)
        answers.append(None if found.best is None else enrolled.names[found.best])
    return np.array(answers, object)


def known(answers):
    return np.array([answer is not None for answer in answers])


def whole(pieces: Pieces, kind) -> Pieces:
    """The whole utterances: of a kind that is cut, those that are the longest of theirs."""
    of_kind = pieces.where(pieces.kind == kind)
    if kind.startswith("raw"):
        return of_kind
    longest = [
        max(np.flatnonzero(of_kind.recording == name), key=lambda row: of_kind.speech_s[row])
        for name in dict.fromkeys(of_kind.recording.tolist())
    ]
    return of_kind.where(np.array(longest))


def people(folder, model):
    everybody, strangers = load(folder, model, ("librispeech",)), load(folder, model, ("cohort",))
    built_in = find_calibration(everybody.fingerprint)
    # What has met neither the five nor, for the strangers, the 120.
    of_others = fitted(draw(load(folder, model, ("cohort", "conversations"))))
    of_few = fitted(draw(load(folder, model, ("librispeech", "conversations"))))
    for kind, of_what in (("raw-whole", "all of it"), ("clean", "its speech alone")):
        enrolled, rest = enrol(whole(everybody, kind))
        for point in POINTS:
            for name, calibration, for_strangers in (
                ("built in", built_in, built_in),
                ("held out", of_others, of_few),
            ):
                found = identify(enrolled, rest, calibration, point)
                right = found == rest.speaker
                n_wrong = (known(found) & ~right).sum()
                left_out = [
                    identify(
                        enrolled.without(who), rest.where(rest.speaker == who), calibration, point
                    )
                    for who in enrolled.names
                ]
                taken = known(np.concatenate(left_out))
                cohort = whole(strangers, kind)
                others = known(identify(enrolled, cohort, for_strangers, point))
                print(
                    f"{model}, {of_what}, {name}, {point.at}: of {len(rest)} {right.sum()} right, "
                    f"{n_wrong} wrong; left out: {taken.sum()} of {len(taken)} taken for somebody; "
                    f"cohort: {others.sum()} of {len(others)}"
                )


def pairs(folder, model):
    everybody = load(folder, model, ("librispeech",))
    calibration = find_calibration(everybody.fingerprint)
    second = everybody.where((everybody.kind == "clean") & (everybody.speech_s == 1))
    middle = [  # of the pieces of a second, the one in the middle
        rows[len(rows) // 2]
        for name in np.unique(second.recording)
        if len(rows := np.flatnonzero(second.recording == name))
    ]
    sets = {
        "whole": whole(everybody, "raw-whole"),
        "the middle 3 s": whole(everybody, "raw-3"),
        "the middle second": whole(everybody, "raw-1"),
        "whole, speech alone": whole(everybody, "clean"),
        "the middle second of speech": second.where(np.array(middle)),
    }
    for name, pieces in sets.items():
        a, b = np.triu_indices(len(pieces), 1)
        _names, speakers = np.unique(pieces.speaker, return_inverse=True)
        cosines = np.einsum("ij,ij->i", pieces.embedding[a], pieces.embedding[b]).astype(np.float64)
        trials = Trials(
            cosines, speakers[a] == speakers[b], speakers[a], speakers[b], np.ones(len(a))
        )
        llrs = calibration.llrs(cosines, pieces.speech_s[a], pieces.speech_s[b])
        by_cosine = 100 * measure(trials, "eer", 0).value
        by_llr = 100 * measure(replace(trials, scores=llrs), "eer", 0).value
        cost = measure(replace(trials, scores=llrs), "cllr", 0).value
        print(
            f"{model}, {name}: {len(a)} pairs, EER {by_cosine:.2f} % by cosine, {by_llr:.2f} % by "
            f"llr; Cllr {cost:.3f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", required=True, type=Path)
    options = parser.parse_args()
    for model in MODELS:
        people(options.pieces, model)
        pairs(options.pieces, model)


if __name__ == "__main__":
    main()
