"""Labels that disagree with the voice: utterances of somebody else, and people with two labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sidecar.corpus.collection import Collection
from sidecar.corpus.evidence import Evidence, Floats
from sidecar.corpus.groups import Fit, Groups, Ints, beside, gather
from sidecar.corpus.search import nearest_others
from sidecar.corpus.utterances import FloatArray

# Two labels are one person's where they are as alike as all but so many percent of the utterances
# are to the rest of their own label.
_PERCENT = 10
# Of one audio, in two formats for instance; of one voice, two sentences have not so much.
SAME_AUDIO = 0.98
# Copies are looked for of so many; beyond that, labels are no use anyway.
_MOST_COMPARED = 10_000


@dataclass(frozen=True, slots=True)
class Mislabelled:
    """An utterance that is rather somebody else's.

    Attributes:
        row: its place in the data set.
        speaker: the label that it has.
        like: the label whose voice it has; None: it has none of them.
        own, other: the cosines with the rest of its label, and with the most alike other one.
        probability: that its label is right.
        copy_of: the place of an utterance of another label that is the same audio.
    """

    row: int
    speaker: str
    like: str | None
    own: float | None
    other: float | None
    probability: float
    copy_of: int | None = None


@dataclass(frozen=True, slots=True)
class Twins:
    """Two labels of one voice, and the cosine between the two."""

    speakers: tuple[str, str]
    cosine: float


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check of ``n_labelled`` utterances with ``n_labels`` labels."""

    n_labelled: int
    n_labels: int
    mislabelled: list[Mislabelled]
    twins: list[Twins]


def check(collection: Collection, evidence: Evidence) -> Checked:
    """Compare each label with the voices that have it."""
    names, labels = labels_of(collection)
    speech_s = collection.speech_s()
    groups = gather(_units(collection), labels, speech_s, len(names))
    pairs = _twins(groups, _typical(collection, groups, labels), evidence)
    found: list[Mislabelled] = []
    rows = np.arange(collection.n_rows)
    for units, *columns in beside(_units(collection), labels, speech_s, rows):
        chosen = np.flatnonzero(columns[0] >= 0)
        if len(chosen):
            mine, seconds, at = (column[chosen] for column in columns)
            fit = groups.fit(units[chosen], mine, seconds, evidence, pairs)
            found += _misfits(fit, mine, at, names)
    found.sort(key=lambda one: one.probability)
    twins = [Twins((names[a], names[b]), cosine) for (a, b), cosine in pairs.items()]
    return Checked(
        n_labelled=int((labels >= 0).sum()),
        n_labels=len(names),
        mislabelled=list(_with_copies(collection, found, labels)),
        twins=twins,
    )


def labels_of(collection: Collection) -> tuple[list[str], Ints]:
    """The labels, and for each row the place of its own among them; -1: it has none."""
    encoded = pc.dictionary_encode(collection.column("speaker").combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes: Ints = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    return encoded.dictionary.to_pylist(), codes


def _units(collection: Collection) -> Iterator[FloatArray]:
    return (units for _, units in collection.pieces([]))


def _typical(collection: Collection, groups: Groups, labels: Ints) -> float:
    """What nearly all utterances are like the rest of their label; 1 where none has a rest."""
    cosines = [
        groups.own_cosines(units[mine >= 0], mine[mine >= 0])
        for units, mine in beside(_units(collection), labels)
    ]
    known = np.concatenate(cosines)
    known = known[~np.isnan(known)]
    return float(np.percentile(known, _PERCENT)) if len(known) else 1.0


def _twins(groups: Groups, typical: float, evidence: Evidence) -> dict[tuple[int, int], float]:
    """Pairs of groups of one voice, with their cosines, the most alike first."""
    units, found = groups.units, list[tuple[float, int, int]]()
    for start in range(0, len(units), 4096):
        cosines = units[start : start + 4096] @ units.T
        for a, b in np.argwhere(cosines >= typical).tolist():
            if start + a < b:
                found.append((float(cosines[a, b]), start + a, b))
    if not found:
        return {}
    found.sort(reverse=True)
    alike: Floats = np.array([cosine for cosine, _, _ in found])
    first, second = (np.array([pair[side] for pair in found]) for side in (1, 2))
    is_one = evidence.llrs(alike, groups.speech_s[first], groups.speech_s[second]) > 0
    return {(a, b): cosine for (cosine, a, b), one in zip(found, is_one, strict=True) if one}


def _misfits(fit: Fit, labels: Ints, rows: Ints, names: Sequence[str]) -> Iterator[Mislabelled]:
    """Those of the utterances in these ``rows`` that are rather somebody else's."""
    for one in np.flatnonzero(fit.probability < 0.5).tolist():
        own, other = float(fit.own[one]), float(fit.others[one])
        yield Mislabelled(
            row=int(rows[one]),
            speaker=names[labels[one]],
            like=names[fit.other[one]] if fit.other_llrs[one] > 0 else None,
            own=own if np.isfinite(own) else None,
            other=other if np.isfinite(other) else None,
            probability=float(fit.probability[one]),
        )


def _with_copies(
    collection: Collection, found: list[Mislabelled], labels: Ints
) -> Iterator[Mislabelled]:
    """The same, with what each one is a copy of, if it is one."""
    compared = found[:_MOST_COMPARED]
    if compared:
        at = np.array([one.row for one in compared])
        nearest, cosines = nearest_others(_units(collection), _rows(collection, at), at)
        for one, row, cosine in zip(compared, nearest.tolist(), cosines, strict=True):
            is_copy = cosine >= SAME_AUDIO and labels[row] != labels[one.row]
            yield replace(one, copy_of=row) if is_copy else one
    yield from found[_MOST_COMPARED:]


def _rows(collection: Collection, at: Ints) -> FloatArray:
    """The embeddings of the rows at these places, shape (n, dim)."""
    taken: dict[int, FloatArray] = {}
    first = 0
    for units in _units(collection):
        for place in at[(at >= first) & (at < first + len(units))].tolist():
            taken[place] = units[place - first]
        first += len(units)
    return np.stack([taken[place] for place in at.tolist()])
