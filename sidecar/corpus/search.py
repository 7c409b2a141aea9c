"""Who sounds like somebody: exact, by a product of matrices for each piece of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sidecar.corpus.collection import Collection
from sidecar.corpus.utterances import FloatArray

TOLD = ("id", "path", "start_s", "end_s", "speaker", "voice", "speech_s", "duration_s")


def most_alike(collection: Collection, query: FloatArray, n: int) -> pa.Table:
    """The ``n`` rows that are most like ``query``, shape (dim,), of length 1, the most alike first.

    Gives:
        the columns ``TOLD``, and ``cosine``.
    """
    best: pa.Table | None = None
    for batch, units in collection.pieces(TOLD):
        cosines = units @ query
        top = _highest(cosines, n)
        rows = pa.Table.from_batches([batch.take(pa.array(top))]).select(list(TOLD))
        rows = rows.append_column("cosine", pa.array(cosines[top], pa.float32()))
        best = rows if best is None else pa.concat_tables([best, rows])
        best = best.take(pa.array(_highest(best.column("cosine").to_numpy(), n)))
    assert best is not None  # no collection is empty
    return best


def nearest_others(
    pieces: Iterable[FloatArray], queries: FloatArray, at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], FloatArray]:
    """For each of ``queries``, shape (m, dim), the row that is most like it, but not itself.

    Args:
        pieces: all embeddings, in the order in which rows are counted.
        queries: some of these rows' embeddings.
        at: the places of these rows, shape (m,).

    Returns:
        the places of the most alike, shape (m,), and their cosines.
    """
    best = np.full(len(queries), -1)
    cosines = np.full(len(queries), -np.inf, np.float32)
    for start, units in _counted(pieces):
        here = units @ queries.T
        inside = (at >= start) & (at < start + len(units))
        here[at[inside] - start, np.flatnonzero(inside)] = -np.inf
        top = here.argmax(axis=0)
        found = here[top, np.arange(len(queries))]
        better = found > cosines
        best[better], cosines[better] = start + top[better], found[better]
    return best, cosines


def _counted(pieces: Iterable[FloatArray]) -> Iterator[tuple[int, FloatArray]]:
    start = 0
    for units in pieces:
        yield start, units
        start += len(units)


def _highest(values: FloatArray, n: int) -> NDArray[np.intp]:
    """The places of the ``n`` highest, the highest first; of equal ones the first."""
    # Not sorted in full: a piece has many more than are wanted.
    chosen = np.argpartition(-values, n)[:n] if n < len(values) else np.arange(len(values))
    chosen = np.sort(chosen)
    return chosen[np.argsort(-values[chosen], kind="stable")]
