"""``speaker-sidecar models``: list, fetch and verify what the catalog knows."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.engine.export_process import ConversionFailed, convert_apart
from sidecar.serve_options import add_models_dir
from sidecar.store.assets import Asset
from sidecar.store.catalog import ASSETS, MODELS, SEGMENTATION, SPEECH_DETECTOR, ModelCard
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.console import ProgressLine, Refusal, complain, exit_code_of, open_console

_ACTIONS = {
    "list": "show the models and what is installed",
    "fetch": "download what is missing or damaged",
    "verify": "check hashes, and compare ECAPA-TDNN with SpeechBrain",
}
# What is run converted, by its kind.
_CONVERTED = ("model", "segmenter")
# What a file's state may be, the worst first, and how it is shown.
_STATES = {"damaged": "bold red", "absent": "dim", "installed": "green"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command, each with the same options, to ``parser``."""
    shared = argparse.ArgumentParser(add_help=False)
    add = shared.add_argument
    add("id", nargs="?", metavar="ID|DIR", help="one of the list, or a folder to verify; else all")
    add("--json", action="store_true", help="print JSON")
    add_models_dir(shared)
    add("--offline", action="store_true", help="never use the network")
    # Subparsers: argparse before 3.12 loses a positional behind an option if it may be missing.
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, does in _ACTIONS.items():
        actions.add_parser(action, help=does, description=does, parents=[shared])


def run(options: argparse.Namespace) -> int:
    """List, fetch or verify.

    Returns:
        0; 64 for an unknown id; 69 if something is unavailable or damaged, or disagrees with
        SpeechBrain; 74 if standard output is closed; 130 after Ctrl-C.
    """
    return exit_code_of(lambda progress: _run(options, progress))


def _run(options: argparse.Namespace, progress: ProgressLine) -> int:
    console, words = open_console(), open_console(stderr=options.json)
    if options.action == "verify" and options.id is not None and Path(options.id).is_dir():
        check = check_parity(Path(options.id))
        words.out(check["folder"], check["text"], sep=": ")
        if options.json:
            console.out(json.dumps(check, indent=2))
        return EXIT_OK if check["passed"] else EXIT_UNAVAILABLE
    assets = _chosen(options.id)
    models_dir = options.models_dir or default_models_dir()
    store = WeightStore(models_dir, offline=options.offline, on_progress=progress.show_fetch)
    if options.action == "fetch":
        for asset in assets:
            _fetch(store, asset, words, progress)
    found = [_inspect(store, asset) for asset in assets]
    if options.json:
        console.out(json.dumps(found, indent=2))
    elif options.action != "fetch":
        console.print(_table(found))
        console.out(f"The files are in {store.models_dir}, each in a folder with its ID.")
    states = [one["state"] for one in found]
    if options.action != "verify":
        is_done = options.action == "list" or set(states) == {"installed"}
        return EXIT_OK if is_done else EXIT_UNAVAILABLE
    # What was never fetched is no fault, unless that is all there is.
    is_sound = "installed" in states and "damaged" not in states
    for asset, state in zip(assets, states, strict=True):
        if state == "installed" and isinstance(asset, ModelCard) and asset.network == "ecapa":
            check = check_parity(store.models_dir / asset.id)
            words.out(check["folder"], check["text"], sep=": ")
            is_sound &= check["passed"] is not False
    return EXIT_OK if is_sound else EXIT_UNAVAILABLE


def _chosen(asset_id: str | None) -> list[Asset]:
    if asset_id is None:
        return list(ASSETS.values())
    if asset_id not in ASSETS:
        known = ", ".join(ASSETS)
        raise Refusal(f"There is no {asset_id!r} in the catalog. It has: {known}.", EXIT_USAGE)
    return [ASSETS[asset_id]]


def _fetch(store: WeightStore, asset: Asset, words: Console, progress: ProgressLine) -> None:
    """Fetch it, or say why not. A model is converted too, and stays where that fails."""

    def show(done: Progress) -> None:
        progress.show(f"{asset.id}: converting:", f"{done.done} of {done.total} steps")

    try:
        paths = store.ensure(asset)
    except ModelUnavailable as error:  # the next may come from another host
        progress.clear()
        complain(error.message)
        return
    progress.clear()
    installed = f"{asset.id}: installed, {len(paths)} file(s) verified"
    words.out(installed, *paths.values(), sep="\n  ")
    if _kind_of(asset) not in _CONVERTED:
        return
    try:
        convert_apart(asset.id, "onnxruntime", store.models_dir, show, lambda: False)
    except ConversionFailed as error:
        progress.clear()
        instead = ", torch will run it" if asset.id in MODELS else ""
        complain(f"{asset.id} could not be converted{instead}: {error}")
    else:
        progress.clear()
        words.out(f"{asset.id}: converted")


def _inspect(store: WeightStore, asset: Asset) -> dict[str, Any]:
    """What lies in the asset's place. Its own state is the worst of its files'."""
    files = [
        {
            "path": str(store.path(asset, file)),
            "n_bytes": file.n_bytes,
            "sha256": file.sha256,
            "state": store.state(asset, file).value,
        }
        for file in asset.files
    ]
    states = {file["state"] for file in files}
    return {
        "id": asset.id,
        "kind": _kind_of(asset),
        "title": asset.title,
        "licence": asset.licence,
        "homepage": asset.homepage,
        "n_bytes": asset.n_bytes,
        "state": next(state for state in _STATES if state in states),
        "files": files,
    }


def _kind_of(asset: Asset) -> str:
    if asset.id in MODELS:
        return "model"
    if asset is SEGMENTATION:
        return "segmenter"
    return "detector" if asset is SPEECH_DETECTOR else "sample"


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("ID", "LICENCE", "SIZE", "STATE", "FILE"):
        table.add_column(title, justify="right" if title == "SIZE" else "left", overflow="fold")
    for one in found:
        cells = one["id"], one["licence"], f"{one['n_bytes'] / 1e6:.1f} MB"
        for file in one["files"]:
            state = Text(file["state"], _STATES[file["state"]])
            table.add_row(*cells, state, Path(file["path"]).name)
            cells = "", "", ""
    return table


def check_parity(folder: Path) -> dict[str, Any]:
    """Compare the checkpoint in ``folder`` on 20 utterances: about half a minute of work.

    SpeechBrain carries out what the folder's hyperparams.yaml says: check only a folder that is
    pinned by hash, or your own. ``passed`` is None where SpeechBrain could not be asked.
    """
    check: dict[str, Any] = {"folder": str(folder), "passed": None, "text": "", "figures": {}}
    try:
        from sidecar.networks.speechbrain_parity import compare_with_speechbrain  # noqa: PLC0415

        report = compare_with_speechbrain(folder)
    except (ImportError, ModelUnavailable, OSError, KeyError, ValueError) as error:
        text = f"SpeechBrain cannot load this folder: {type(error).__name__}: {error}"
        return check | {"text": text}
    text = (
        f"{'agrees' if report.passed else 'DISAGREES'} with SpeechBrain on "
        f"{report.n_utterances} utterances: cosine at least {report.min_cosine:.8f}, "
        f"{report.min_centred_cosine:.8f} about the mean; features within "
        f"{report.max_difference_db:.1e} dB, {report.max_faint_difference_db:.1e} dB in faint bands"
    )
    return check | {"passed": report.passed, "text": text, "figures": asdict(report)}
