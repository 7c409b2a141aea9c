"""What is done at a time: a block of rows is embedded by one actor, and written as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

# A killed worker loses its block, and nothing is told of one before it is done. So one is half an
# hour of audio, as far as that is known: half a minute of work, or one long recording.
_MOST_S, _MOST_ROWS = 1800.0, 500
# Each is a file, too.
_MOST_BLOCKS = 20_000
# So many for each actor, if all were as long. But none is more than a share of what each actor has
# left, so that actors end together; down to a part of the longest, as each costs some milliseconds.
_BLOCKS_EACH, _SHARE, _LEAST_PART = 8, 4, 16
# Of audio of which only the file's size is known: that of a lossless file is half of it, and of a
# compressed one two to five times as much. And what counts where nothing is known.
_BYTES_PER_S, _USUAL_S, _LEAST_S = 16_000, 4.0, 0.1


def missing(listed: pa.Table, done: pa.Array) -> pa.Table:
    """The rows of ``listed`` whose ids are not among ``done``."""
    return listed.filter(pc.invert(pc.is_in(listed.column("id"), value_set=done)))


def blocks_of(listed: pa.Table, n_actors: int, n_rows: int | None = None) -> Iterator[pa.Table]:
    """``listed``, a table of ``SOURCE``, in its order, in blocks.

    Each has ``n_rows``; None: about as much audio as the others, and no more than suits it.
    """
    ends = range(n_rows, listed.num_rows, n_rows) if n_rows else _ends(_seconds(listed), n_actors)
    start = 0
    for end in [*ends, listed.num_rows]:
        if end > start:
            yield listed.slice(start, end - start).combine_chunks()
        start = end


def _ends(seconds: Sequence[float], n_actors: int) -> Iterator[int]:
    """Where each block ends, but for the last one."""
    left_s = sum(seconds)
    most_s = min(max(_MOST_S, left_s / _MOST_BLOCKS), left_s / (n_actors * _BLOCKS_EACH))
    n_held, held_s = 0, 0.0
    for end, row_s in enumerate(seconds, start=1):
        n_held, held_s = n_held + 1, held_s + row_s
        share_s = left_s / (n_actors * _SHARE)
        wanted_s = min(most_s, max(share_s, most_s / _LEAST_PART))
        if held_s >= wanted_s or n_held >= _MOST_ROWS:
            yield end
            left_s -= held_s
            n_held, held_s = 0, 0.0


def _seconds(listed: pa.Table) -> list[float]:
    """About how much audio each row is."""
    columns = (listed.column(name).to_pylist() for name in ("start_s", "end_s", "n_bytes"))
    return [
        max(
            _LEAST_S,
            end_s - (start_s or 0.0)
            if end_s is not None
            else _USUAL_S
            if n_bytes is None
            else n_bytes / _BYTES_PER_S,
        )
        for start_s, end_s, n_bytes in zip(*columns, strict=True)
    ]
