"""Which utterances of a data set are one person's, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sidecar.corpus.clusters import cluster
from sidecar.corpus.collection import Collection
from sidecar.corpus.evidence import Evidence, Floats
from sidecar.corpus.groups import Ints, beside, gather
from sidecar.corpus.utterances import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Speakers:
    """The people of a data set of n rows.

    Attributes:
        threshold: the mean cosine from which on it was taken for one person.
        labels: each row's person, from 0 on, who has the most rows first, shape (n,).
        own, others: its cosines with the rest of its person, nan where there is none, and with the
            most alike other one, shape (n,).
        probability: that it is that person's, shape (n,).
        counts, speech_s: the rows and the seconds of speech of each person.
    """

    threshold: float
    labels: Ints
    own: Floats
    others: Floats
    probability: Floats
    counts: Ints
    speech_s: Floats


def find_speakers(
    collection: Collection,
    evidence: Evidence,
    threshold: float | None = None,
    n_speakers: int | None = None,
) -> Speakers:
    """Cluster all rows.

    Args:
        collection: what to cluster.
        evidence: what cosines say.
        threshold: the mean cosine of one person; None: what the evidence says of utterances with
            as much speech as most of these have.
        n_speakers: how many people there are, where that is known.
    """

    def units() -> Iterator[FloatArray]:
        return (piece for _, piece in collection.pieces([]))

    speech_s = collection.speech_s()
    if threshold is None:
        threshold = evidence.threshold(float(np.median(speech_s)))
    labels = cluster(units, collection.n_rows, threshold, n_speakers)
    groups = gather(units(), labels, speech_s, int(labels.max()) + 1)
    fits = [
        groups.fit(piece, mine, seconds, evidence)
        for piece, mine, seconds in beside(units(), labels, speech_s)
    ]
    own, others, probability = (
        np.concatenate([getattr(fit, name) for fit in fits])
        for name in ("own", "others", "probability")
    )
    return Speakers(threshold, labels, own, others, probability, groups.counts, groups.speech_s)
