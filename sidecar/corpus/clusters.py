"""Who of a data set is one person: average linkage, by scipy, in rounds where it is too large.

A round clusters a sample of those who have no cluster yet, and gives the others among them to the
new clusters that they are like. So each sees at most ``_MOST_LINKED`` utterances at once, which
take 0.3 GB, and finds as many speakers at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from sidecar.corpus.groups import Ints, beside
from sidecar.corpus.utterances import FloatArray

# The memory goes with the square.
_MOST_LINKED = 8000


def cluster(
    pieces: Callable[[], Iterable[FloatArray]],
    n_rows: int,
    threshold: float,
    n_speakers: int | None = None,
    most: int = _MOST_LINKED,
) -> Ints:
    """A cluster's number for each row, shape (n_rows,), from 0 on, the largest first.

    Args:
        pieces: gives all embeddings, of length 1, piece by piece, whenever it is called.
        n_rows: how many there are.
        threshold: two clusters are one person's if the mean cosine between them is at least this.
        n_speakers: how many clusters to make instead.
        most: of how many rows at most clusters are made at once.
    """
    labels = np.full(n_rows, -1)
    n_found = 0
    while (left := np.flatnonzero(labels < 0)).size:
        chosen = left[np.linspace(0, len(left) - 1, min(most, len(left))).astype(np.int64)]
        units = _rows(pieces(), n_rows, chosen)
        own = _linked(units, threshold, n_speakers)
        labels[chosen] = own + n_found
        if len(chosen) < len(left):
            means = _means(units, own)
            least = -np.inf if n_speakers is not None else threshold
            for here, mine in beside(pieces(), labels):  # mine is a view: labels change
                free = np.flatnonzero(mine < 0)
                nearest, cosines = _nearest(here[free], means)
                is_like = cosines >= least
                mine[free[is_like]] = nearest[is_like] + n_found
        n_found += int(own.max()) + 1
    return _largest_first(labels)


def _linked(units: FloatArray, threshold: float, n_speakers: int | None) -> Ints:
    if len(units) == 1:
        return np.zeros(1, np.int64)
    tree = linkage(units, "average", metric="cosine")
    if n_speakers is not None:
        return np.asarray(fcluster(tree, n_speakers, "maxclust"), np.int64) - 1
    return np.asarray(fcluster(tree, 1 - threshold, "distance"), np.int64) - 1


def _means(units: FloatArray, labels: Ints) -> FloatArray:
    """Not of length 1: the product with an embedding is the mean cosine with the members."""
    sums = np.zeros((int(labels.max()) + 1, units.shape[1]), np.float32)
    np.add.at(sums, labels, units)
    sums /= np.bincount(labels)[:, None]
    return sums


def _nearest(units: FloatArray, means: FloatArray) -> tuple[Ints, FloatArray]:
    """Which of ``means`` is most like each, and how much."""
    nearest, cosines = np.zeros(len(units), np.int64), np.zeros(len(units), np.float32)
    for start in range(0, len(units), _MOST_LINKED):
        here = slice(start, start + _MOST_LINKED)
        product = units[here] @ means.T
        nearest[here] = product.argmax(axis=1)
        cosines[here] = product.max(axis=1)
    return nearest, cosines


def _rows(pieces: Iterable[FloatArray], n_rows: int, chosen: Ints) -> FloatArray:
    """The rows at these places, which ascend."""
    is_chosen = np.zeros(n_rows, np.bool_)
    is_chosen[chosen] = True
    return np.concatenate([units[mine] for units, mine in beside(pieces, is_chosen)])


def _largest_first(labels: Ints) -> Ints:
    _names, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return rank[places]
