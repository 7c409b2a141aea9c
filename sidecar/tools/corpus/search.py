"""``speaker-sidecar corpus search``: who of a data set sounds like somebody."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.corpus.collection import Collection
from sidecar.corpus.search import most_alike
from sidecar.tools.console import ProgressLine, Refusal, open_console
from sidecar.tools.corpus.data_set import open_data_set
from sidecar.tools.heard_trials import embed_each
from sidecar.tools.started_sidecar import started_sidecar
from sidecar.tools.timeline_picture import clock


def run(options: argparse.Namespace, progress: ProgressLine) -> int:
    """Search and print; raises ``Refusal``."""
    collection, evidence = open_data_set(options)
    voices = _voices(options, collection, progress)
    units = np.array([np.frombuffer(voice["embedding"], "<f4") for voice in voices])
    query = units.mean(axis=0)
    query /= np.linalg.norm(query)
    progress.show("searching", f"{collection.n_rows:,} embeddings")
    found = most_alike(collection, query.astype(np.float32), options.top)
    progress.clear()
    speech_s = sum(
        (voice.get("quality") or {}).get("speech_s") or voice["duration_s"] for voice in voices
    )
    seconds = pa.compute.coalesce(found["speech_s"], found["duration_s"]).to_numpy()
    llrs = evidence.llrs(found["cosine"].to_numpy().astype(float), speech_s, seconds)
    rows = found.append_column("llr", pa.array(llrs)).to_pylist()
    if options.json:
        print(json.dumps({"fingerprint": collection.fingerprint, "found": rows}, indent=2))
    else:
        _show(rows)
    return EXIT_OK


def _voices(
    options: argparse.Namespace, collection: Collection, progress: ProgressLine
) -> list[dict[str, Any]]:
    words = ["--model", options.model or collection.model, "--device", options.device]
    if options.models_dir is not None:
        words += ["--models-dir", str(options.models_dir)]
    if options.offline:
        words.append("--offline")
    paths = [path.expanduser().absolute() for path in options.like]
    with started_sidecar(words, progress) as (client, _start):
        heard = embed_each(client.send, paths, "auto", progress)
    return [_usable(path, heard[path], collection) for path in paths]


def _usable(path: Path, heard: dict[str, Any] | str, collection: Collection) -> dict[str, Any]:
    if isinstance(heard, str):
        raise Refusal(f"{path}: {heard}", EXIT_UNAVAILABLE)
    if heard["fingerprint"] != collection.fingerprint:
        raise Refusal(
            f"the data set was made by {collection.fingerprint}, and {path} embedded by "
            f"{heard['fingerprint']}: name the same model with --model",
            EXIT_USAGE,
        )
    return heard


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table("COSINE", "LLR", "FROM", "TO", "LABEL", "WHAT", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            f"{row['cosine']:.3f}",
            f"{row['llr']:.1f}",
            clock(row["start_s"]),
            clock(row["end_s"]),
            row["speaker"] or "",
            row["id"],
        )
    open_console().print(table)
