"""A data set that a person names, what its cosines mean, and files that are written of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from sidecar.config import EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.corpus.collection import BadDataSet, Collection, open_collection
from sidecar.corpus.evidence import Evidence
from sidecar.scores.calibration import find_calibration
from sidecar.tools.console import Refusal, complain

_WRITERS = {".csv": csv.write_csv, ".parquet": parquet.write_table}


def open_data_set(options: argparse.Namespace) -> tuple[Collection, Evidence]:
    """What ``options`` name; raises ``Refusal``."""
    out = getattr(options, "out", None)
    if out is not None and out.suffix.lower() not in _WRITERS:
        raise Refusal(f"--out {out}: it must end in .csv or .parquet", EXIT_USAGE)
    try:
        collection = open_collection(options.data, options.fingerprint)
    except BadDataSet as error:
        raise Refusal(str(error), EXIT_USAGE) from error
    try:
        calibration = find_calibration(collection.fingerprint, options.calibration)
    except (OSError, ValueError) as error:
        raise Refusal(f"--calibration: {error}", EXIT_USAGE) from error
    if calibration is None:
        complain(
            f"WARNING: {collection.model} has no calibration, so what a cosine means is guessed; "
            "see calibrate"
        )
    return collection, Evidence(calibration)


def write_rows(table: pa.Table, file: Path) -> None:
    """Write ``table`` in the form that the file's ending says; raises ``Refusal``."""
    try:
        _WRITERS[file.suffix.lower()](table, str(file))
    except OSError as error:
        raise Refusal(f"{file} cannot be written: {error}", EXIT_UNAVAILABLE) from error


def all_columns(collection: Collection, names: Sequence[str]) -> pa.Table:
    """These columns of all rows, in the order of ``Collection.pieces``."""
    return pa.table({name: collection.column(name) for name in names})
