"""Trials drawn from the pieces of ``people_material.py``, and people count evenly."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sidecar.scores.trials import Trials

CORPORA = ("cohort", "librispeech", "conversations")
# Pairs of pieces that are drawn of one person, and of two.
N_TARGETS, N_STRANGERS = 300, 16


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of some corpora, as arrays with a row each, see ``people_material.py``."""

    fingerprint: str
    rows: dict[str, np.ndarray]

    def where(self, chosen) -> Pieces:
        return Pieces(self.fingerprint, {name: rows[chosen] for name, rows in self.rows.items()})

    def __len__(self):
        return len(self.rows["speaker"])

    def __getattr__(self, name):
        return self.rows[name]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Trials with the seconds of speech on both sides, and which pieces they are."""

    trials: Trials
    speech_s_a: np.ndarray
    speech_s_b: np.ndarray
    a: np.ndarray
    b: np.ndarray
    corpus: np.ndarray

    def where(self, chosen) -> Drawn:
        t = self.trials
        kept = (t.scores, t.is_target, t.speakers_a, t.speakers_b, t.weights)
        sides = (self.speech_s_a, self.speech_s_b, self.a, self.b, self.corpus)
        return Drawn(Trials(*(x[chosen] for x in kept)), *(x[chosen] for x in sides))


def load(folder: Path, model: str, corpora=CORPORA) -> Pieces:
    files = [np.load(folder / f"{model}-{corpus}.npz") for corpus in corpora]
    names = [name for name in files[0].files if name != "fingerprint"]
    rows = {name: np.concatenate([file[name] for file in files]) for name in names}
    return Pieces(str(files[0]["fingerprint"]), rows)


def draw(pieces: Pieces, kinds=("clean", "other"), seed=0) -> Drawn:
    """Pairs of pieces of one corpus: any two durations and kinds are as probable as any others.

    Pieces of one utterance are never compared where they overlap.
    """
    rng = np.random.default_rng(seed)
    usable = np.flatnonzero(np.isin(pieces.kind, kinds))
    lengths = np.digitize(pieces.speech_s, (0.7, 1.4, 2.4, 4, 7, 12))
    classes = np.char.add(pieces.kind, lengths.astype(str))
    pick = functools.partial(_pick, rng, classes)
    pairs = []  # a, b, is target, weight
    for corpus in np.unique(pieces.corpus):
        inside = usable[pieces.corpus[usable] == corpus]
        people = {
            speaker: inside[pieces.speaker[inside] == speaker]
            for speaker in np.unique(pieces.speaker[inside])
        }
        targets = []
        for rows in people.values():
            a, b = pick(rows, 8 * N_TARGETS), pick(rows, 8 * N_TARGETS)
            apart = np.flatnonzero(~_overlap(pieces, a, b))[:N_TARGETS]
            targets.append((a[apart], b[apart]))
        strangers = []
        for one, other in itertools.combinations(people.values(), 2):
            n = N_STRANGERS * (25 if corpus == "librispeech" else 1)
            strangers.append((pick(one, n), pick(other, n)))
        for is_target, groups in ((True, targets), (False, strangers)):
            found = [group for group in groups if len(group[0])]
            for a, b in found:
                weight = 1 / len(found) / len(a)
                pairs.append((a, b, np.full(len(a), is_target), np.full(len(a), weight)))
    a, b, is_target, weights = (np.concatenate(column) for column in zip(*pairs, strict=True))
    _names, speakers = np.unique(pieces.speaker, return_inverse=True)
    cosines = np.einsum("ij,ij->i", pieces.embedding[a], pieces.embedding[b]).astype(np.float64)
    trials = Trials(cosines, is_target, speakers[a], speakers[b], weights)
    return Drawn(trials, pieces.speech_s[a], pieces.speech_s[b], a, b, pieces.corpus[a])


def _pick(rng, classes, rows, n):
    """N of the rows, those of each class as often as those of any other."""
    _names, places, counts = np.unique(classes[rows], return_inverse=True, return_counts=True)
    return rng.choice(rows, n, p=1 / counts[places] / len(counts))


def _overlap(pieces, a, b):
    start_s, end_s = pieces.start_s, pieces.start_s + pieces.speech_s
    # Two tenths of a second apart: what stands at the seam would be in both.
    apart = (start_s[a] >= end_s[b] + 0.2) | (start_s[b] >= end_s[a] + 0.2)
    return (pieces.recording[a] == pieces.recording[b]) & ~apart
