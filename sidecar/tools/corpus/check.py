"""``speaker-sidecar corpus check``: labels of a data set that disagree with the voice."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from rich.table import Table

from sidecar.config import EXIT_OK, EXIT_USAGE
from sidecar.corpus.check import Checked, check
from sidecar.corpus.collection import Collection
from sidecar.tools.console import ProgressLine, Refusal, open_console
from sidecar.tools.corpus.data_set import open_data_set, write_rows

_SHOWN = 50
_FOUND = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "path", "speaker", "like", "copy_of")),
        *((name, pa.float64()) for name in ("own", "other", "probability")),
    ]
)


def run(options: argparse.Namespace, progress: ProgressLine) -> int:
    """Check, print and write; raises ``Refusal``."""
    collection, evidence = open_data_set(options)
    if not collection.column("speaker").drop_null():
        raise Refusal(
            f"{options.data} has no labels: the source must have a column speaker, or utt2spk",
            EXIT_USAGE,
        )
    progress.show("comparing labels and voices", f"{collection.n_rows:,} embeddings")
    checked = check(collection, evidence)
    rows = _named(collection, checked)
    progress.clear()
    if options.out is not None:
        write_rows(pa.Table.from_pylist(rows, _FOUND), options.out)
    twins = [asdict(pair) for pair in checked.twins]
    if options.json:
        about = {"utterances": checked.n_labelled, "labels": checked.n_labels}
        print(json.dumps({**about, "mislabelled": rows, "one_voice": twins}, indent=2))
    else:
        _show(checked, rows)
    return EXIT_OK


def _named(collection: Collection, checked: Checked) -> list[dict[str, Any]]:
    ids, paths = collection.column("id"), collection.column("path")
    return [
        {
            "id": ids[one.row].as_py(),
            "path": paths[one.row].as_py(),
            "speaker": one.speaker,
            "like": one.like,
            "own": one.own,
            "other": one.other,
            "probability": one.probability,
            "copy_of": None if one.copy_of is None else ids[one.copy_of].as_py(),
        }
        for one in checked.mislabelled
    ]


def _show(checked: Checked, rows: list[dict[str, Any]]) -> None:
    console = open_console()
    console.out(
        f"{checked.n_labelled:,} utterances with {checked.n_labels:,} labels: {len(rows):,} "
        f"disagree with the voice, {len(checked.twins):,} pairs of labels are one voice"
    )
    if rows:
        titles = ("LABEL", "VOICE OF", "COSINES", "RIGHT", "WHAT", "COPY OF")
        table = Table(*titles, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for row in rows[:_SHOWN]:
            cosines = "  ".join(
                "-" if c is None else f"{c:.2f}" for c in (row["own"], row["other"])
            )
            like = row["like"] or "nobody"
            right = f"{row['probability']:.3f}"
            table.add_row(row["speaker"], like, cosines, right, row["id"], row["copy_of"] or "")
        console.print(table)
        if len(rows) > _SHOWN:
            console.out(f"... and {len(rows) - _SHOWN:,} more")
    for pair in checked.twins[:_SHOWN]:
        console.out(f"one voice: {' and '.join(pair.speakers)} (cosine {pair.cosine:.2f})")
