"""A data set of embeddings, read piece by piece: it may be larger than the memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import dataset, fs

from sidecar.corpus.output import EMBEDDINGS
from sidecar.corpus.storage import locate
from sidecar.corpus.tables import vectors
from sidecar.corpus.utterances import FloatArray

# 50 MB of embeddings of 192 numbers.
_ROWS_AT_A_TIME = 65_536


class BadDataSet(Exception):
    """A data set cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Collection:
    """All embeddings of one model in a data set.

    Attributes:
        model, fingerprint: the model that made them.
        n_rows: how many there are.
    """

    place: str
    model: str
    fingerprint: str
    n_rows: int

    def pieces(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, FloatArray]]:
        """All rows, piece by piece, always in the same order.

        Gives:
            these columns, and float32 of shape (n, dim): the embeddings, of length 1.
        """
        scanner = _data(self.place).scanner(
            columns=[*columns, "embedding"],
            filter=pc.field("fingerprint") == self.fingerprint,
            batch_size=_ROWS_AT_A_TIME,
            # Ahead of what is computed; by default 3 GB are.
            batch_readahead=4,
            fragment_readahead=2,
        )
        for batch in _joined(scanner.to_batches()):
            yield batch, vectors(batch)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column, in the order of ``pieces``."""
        chosen = pc.field("fingerprint") == self.fingerprint
        return _data(self.place).to_table(columns=[name], filter=chosen).column(name)

    def results(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What ``embed`` would answer, as far as it is known, of each id or path in ``names``."""
        wanted = pa.array(set(names), pa.string())
        told = ("id", "path", "speech_s", "duration_s")
        found: dict[str, dict[str, Any]] = {}
        for batch, units in self.pieces(told):
            is_named = pc.or_(*(pc.is_in(batch.column(name), wanted) for name in ("id", "path")))
            for place in pc.indices_nonzero(is_named).to_pylist():
                row = batch.slice(place, 1).to_pylist()[0]
                result = {
                    "embedding": units[place].astype("<f4").tobytes(),
                    "fingerprint": self.fingerprint,
                    "duration_s": row["duration_s"],
                    "quality": {"speech_s": row["speech_s"]},
                }
                if row["path"] != row["id"]:
                    # Of several parts of a file, none is what its path names.
                    found[row["path"]] = {} if row["path"] in found else result
                found[row["id"]] = result
        return {name: result for name, result in found.items() if result}

    def speech_s(self) -> NDArray[np.float64]:
        """The seconds of speech of each row, shape (n,); where that is not known, of audio."""
        chosen = pc.field("fingerprint") == self.fingerprint
        known = pc.coalesce(pc.field("speech_s"), pc.field("duration_s"))
        table = _data(self.place).to_table(columns={"s": known}, filter=chosen)
        seconds: NDArray[np.float64] = table.column("s").to_numpy()
        return seconds


def open_collection(place: str, fingerprint: str | None = None) -> Collection:
    """The embeddings in the data set at ``place``.

    Raises:
        BadDataSet: there are none, or of several models, and it is not said which.
    """
    try:
        made_by = _data(place).to_table(columns=["model", "fingerprint"])
    except (OSError, ValueError, ImportError) as error:
        raise BadDataSet(f"{place} is no data set of corpus embed: {error}") from error
    if fingerprint is not None:
        made_by = made_by.filter(pc.field("fingerprint") == fingerprint)
    counts = made_by.group_by(["model", "fingerprint"]).aggregate([([], "count_all")]).to_pylist()
    if not counts:
        which = "" if fingerprint is None else f" of {fingerprint}"
        raise BadDataSet(f"{place} has no embedding{which}")
    if len(counts) > 1:
        told = ", ".join(f"{one['fingerprint']} ({one['model']})" for one in counts)
        raise BadDataSet(f"{place} has embeddings of several models: say --fingerprint, of {told}")
    [found] = counts
    return Collection(place, found["model"], found["fingerprint"], found["count_all"])


def _data(place: str) -> dataset.Dataset:
    system, top = locate(place)
    folder = f"{top}/{EMBEDDINGS}"
    if system.get_file_info(folder).type is not fs.FileType.Directory:
        raise FileNotFoundError(f"it has no folder {EMBEDDINGS}")
    return dataset.dataset(folder, filesystem=system, format="parquet")


def _joined(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in pieces that are worth a product: each file gives at least one batch."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= _ROWS_AT_A_TIME:
            yield pa.concat_batches(held)
            held = []
    held = [batch for batch in held if batch.num_rows]
    if held:
        yield pa.concat_batches(held)
