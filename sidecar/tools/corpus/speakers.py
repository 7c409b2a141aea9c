"""``speaker-sidecar corpus speakers``: who of a data set is one person."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table

from sidecar.config import EXIT_OK
from sidecar.corpus.collection import Collection
from sidecar.corpus.speakers import Speakers, find_speakers
from sidecar.tools.console import ProgressLine, open_console
from sidecar.tools.corpus.data_set import all_columns, open_data_set, write_rows
from sidecar.tools.timeline_picture import clock

# So many people are shown, those with the most utterances.
_SHOWN = 50


def run(options: argparse.Namespace, progress: ProgressLine) -> int:
    """Cluster, print and write; raises ``Refusal``."""
    collection, evidence = open_data_set(options)
    progress.show("clustering", f"{collection.n_rows:,} embeddings")
    speakers = find_speakers(collection, evidence, options.threshold, options.speakers)
    progress.clear()
    if options.out is not None:
        write_rows(_rows(collection, speakers), options.out)
    people = _people(speakers)
    if options.json:
        about = {"fingerprint": collection.fingerprint, "threshold": speakers.threshold}
        print(json.dumps({**about, "speakers": people}, indent=2))
    else:
        _show(people, speakers, None if options.out is None else str(options.out))
    return EXIT_OK


def name_of(person: int) -> str:
    """What a person is called."""
    return f"P{person + 1}"


def _people(speakers: Speakers) -> list[dict[str, Any]]:
    order = np.argsort(speakers.labels, kind="stable")
    ends = np.cumsum(speakers.counts)[:-1]
    own, probability = (
        np.split(values[order], ends) for values in (speakers.own, speakers.probability)
    )
    return [
        {
            "speaker": name_of(person),
            "utterances": int(speakers.counts[person]),
            "speech_s": float(speakers.speech_s[person]),
            "cosine": None if np.isnan(own[person]).any() else float(own[person].mean()),
            "probability": float(probability[person].mean()),
            "least_probability": float(probability[person].min()),
        }
        for person in range(len(speakers.counts))
    ]


def _rows(collection: Collection, speakers: Speakers) -> pa.Table:
    told = all_columns(collection, ("id", "path", "start_s", "end_s", "speaker"))
    told = told.rename_columns(["id", "path", "start_s", "end_s", "label"])
    further = {
        "speaker": pa.array([name_of(person) for person in speakers.labels.tolist()]),
        "cosine": pa.array(speakers.own, from_pandas=True),
        "other_cosine": pa.array(
            np.where(np.isinf(speakers.others), np.nan, speakers.others), from_pandas=True
        ),
        "probability": pa.array(speakers.probability),
    }
    for name, column in further.items():
        told = told.append_column(name, column)
    return told


def _show(people: list[dict[str, Any]], speakers: Speakers, written: str | None) -> None:
    console = open_console()
    console.out(
        f"{len(people):,} speakers in {len(speakers.labels):,} embeddings, at a mean cosine of "
        f"{speakers.threshold:.3f}"
    )
    table = Table(
        "",
        "SPEAKS",
        "",
        "COSINE",
        "SURE",
        "AT LEAST",
        box=None,
        pad_edge=False,
        padding=(0, 3, 0, 0),
    )
    for one in people[:_SHOWN]:
        cosine = "" if one["cosine"] is None else f"{one['cosine']:.2f}"
        sure, least = (f"{one[key]:.3f}" for key in ("probability", "least_probability"))
        n = one["utterances"]
        counted = f"{n:,} utterance" if n == 1 else f"{n:,} utterances"
        table.add_row(one["speaker"], clock(one["speech_s"]), counted, cosine, sure, least)
    console.print(table)
    if len(people) > _SHOWN:
        console.out(f"... and {len(people) - _SHOWN:,} more")
    if written is not None:
        console.out(f"written: {written}")
