"""The columns of what is listed, embedded and failed, and their way in and out of Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from protocol.quality import Quality
from sidecar.corpus.utterances import Embedded, Failed, Listed

_QUALITY = pa.struct(
    [
        ("level_dbfs", pa.float32()),
        ("snr_db", pa.float32()),
        ("clipped_share", pa.float32()),
        ("bandwidth_hz", pa.float32()),
        ("channel_correlation", pa.float32()),
        ("flags", pa.list_(pa.string())),
    ]
)
_TURN = pa.struct([("start_s", pa.float64()), ("end_s", pa.float64())])

LISTED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("speaker", pa.string()),
    ]
)
# How long the file is, where that is known: it tells how much work a row is.
SOURCE = pa.schema([*LISTED, ("n_bytes", pa.int64())])
FAILED = pa.schema(
    [
        *LISTED,
        pa.field("kind", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
    ]
)


def embedded_schema(dim: int) -> pa.Schema:
    """The columns of embeddings of ``dim`` numbers each."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            # The id that the source has: several voices may be of one recording.
            pa.field("listed_id", pa.string(), nullable=False),
            pa.field("path", pa.string(), nullable=False),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("speaker", pa.string()),
            ("voice", pa.string()),
            ("turns", pa.list_(_TURN)),
            ("duration_s", pa.float64()),
            ("speech_s", pa.float64()),
            ("quality", _QUALITY),
            pa.field("embedding", pa.list_(pa.float32(), dim), nullable=False),
            pa.field("model", pa.string(), nullable=False),
            pa.field("fingerprint", pa.string(), nullable=False),
        ]
    )


def listed_of(table: pa.Table) -> list[Listed]:
    """The rows of a table of ``LISTED``."""
    return [Listed(**row) for row in table.select(LISTED.names).to_pylist()]


def embedded_table(rows: Sequence[Embedded], dim: int, model: str, fingerprint: str) -> pa.Table:
    """A table of what one block has brought."""
    numbers = np.concatenate([row.embedding for row in rows]) if rows else np.empty(0, np.float32)
    columns = {
        "id": [row.id for row in rows],
        "listed_id": [row.listed.id for row in rows],
        "path": [row.listed.path for row in rows],
        "start_s": [row.start_s for row in rows],
        "end_s": [row.end_s for row in rows],
        "speaker": [row.listed.speaker for row in rows],
        "voice": [row.voice for row in rows],
        "turns": [[{"start_s": a, "end_s": b} for a, b in row.turns] for row in rows],
        "duration_s": [row.duration_s for row in rows],
        "speech_s": [row.speech_s for row in rows],
        "quality": [None if row.quality is None else _told(row.quality) for row in rows],
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(numbers, pa.float32()), dim),
        "model": [model] * len(rows),
        "fingerprint": [fingerprint] * len(rows),
    }
    return pa.table(columns, schema=embedded_schema(dim))


def failed_table(rows: Sequence[Failed], model: str, fingerprint: str) -> pa.Table:
    """A table of what could not be embedded in one block."""
    made_by = {"model": model, "fingerprint": fingerprint}
    told = [
        {**asdict(row.listed), "kind": row.kind, "message": row.message, **made_by} for row in rows
    ]
    return pa.Table.from_pylist(told, FAILED)


def vectors(batch: pa.RecordBatch | pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The embeddings of ``batch``, shape (n, dim), without a copy where there is one piece."""
    column = batch.column("embedding")
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    flat: np.ndarray[tuple[int], np.dtype[np.float32]] = column.flatten().to_numpy()
    return flat.reshape(len(column), column.type.list_size)


def _told(quality: Quality) -> dict[str, object]:
    return {name: getattr(quality, name) for name in _QUALITY.names}
