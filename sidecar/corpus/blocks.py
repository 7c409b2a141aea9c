"""What is done at a time: a block of rows is embedded by one actor, and written as one."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

# A killed worker loses its block, so one is half a minute of work or so; each is a file, too.
_MOST_ROWS = 500
# So many for each actor, so that the last ones do not wait long for each other.
_BLOCKS_EACH = 8


def missing(listed: pa.Table, done: pa.Array) -> pa.Table:
    """The rows of ``listed`` whose ids are not among ``done``."""
    return listed.filter(pc.invert(pc.is_in(listed.column("id"), value_set=done)))


def blocks_of(listed: pa.Table, n_actors: int, n_rows: int | None = None) -> Iterator[pa.Table]:
    """``listed``, in its order, in blocks of ``n_rows``; None: as many as suit it."""
    if n_rows is None:
        n_rows = min(_MOST_ROWS, max(1, -(-listed.num_rows // (n_actors * _BLOCKS_EACH))))
    for start in range(0, listed.num_rows, n_rows):
        yield listed.slice(start, n_rows).combine_chunks()
