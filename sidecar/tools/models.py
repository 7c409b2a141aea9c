"""``speaker-sidecar models``: list, fetch and verify what the catalog knows."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.config import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from sidecar.engine.export_process import ConversionFailed, convert_apart
from sidecar.store.assets import Asset, AssetFile
from sidecar.store.catalog import ASSETS, MODELS, ModelCard
from sidecar.store.weights import (
    MODELS_DIR_VARIABLE,
    FetchProgress,
    State,
    WeightStore,
    default_models_dir,
)
from sidecar.tools.console import complain, open_console
from sidecar.tools.model_parity import check_parity

_PLAIN_LINE_INTERVAL_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and options of the command to ``parser``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("list", help="what there is, and what of it is installed")
    fetch = actions.add_parser("fetch", help="fetch what is missing or damaged")
    verify = actions.add_parser(
        "verify", help="hash what is installed; compare ECAPA-TDNN with SpeechBrain"
    )
    fetch.add_argument("id", nargs="?", metavar="ID", help="one of the list; without it, all")
    verify.add_argument(
        "id", nargs="?", metavar="ID|DIR", help="one of the list, or a folder; without it, all"
    )
    for action in (show, verify):
        action.add_argument("--json", action="store_true", help="print JSON")
    for action in (show, fetch, verify):
        action.add_argument(
            "--models-dir",
            type=Path,
            metavar="DIR",
            help=f"default: {MODELS_DIR_VARIABLE}, or a folder among the user's data",
        )
        action.add_argument("--offline", action="store_true", help="never touch the network")


def run(args: argparse.Namespace) -> int:
    """Do what ``args`` ask, and give the exit code: 0, 64 (unknown id) or 69 (unavailable)."""
    open_console()  # a path may have letters that a code page lacks
    asset_id: str | None = getattr(args, "id", None)
    if args.action == "verify" and asset_id is not None and Path(asset_id).is_dir():
        return _verify_folder(Path(asset_id), as_json=args.json)
    if asset_id is not None and asset_id not in ASSETS:
        complain(f"There is no {asset_id!r} in the catalog. It has: {', '.join(ASSETS)}.")
        return EXIT_USAGE
    chosen = list(ASSETS.values()) if asset_id is None else [ASSETS[asset_id]]
    display = _ProgressDisplay()
    store = WeightStore(
        args.models_dir or default_models_dir(),
        offline=args.offline,
        on_progress=display.show,
    )
    try:
        if args.action == "fetch":
            return _fetch(store, chosen, display)
        found = [_inspect(store, asset) for asset in chosen]
        print(json.dumps([f.as_json() for f in found], indent=2) if args.json else _table(found))
        is_verified = args.action == "list" or _verify(found, asset_id, as_json=args.json)
    except ModelUnavailable as error:
        display.end_line()
        complain(error.message)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        display.end_line()
        complain("Stopped. Nothing half-fetched will be used.")
        return EXIT_INTERRUPTED
    return EXIT_OK if is_verified else EXIT_UNAVAILABLE


def _verify(found: list[_Found], asset_id: str | None, *, as_json: bool) -> bool:
    """Whether all is sound, and what can be compared with SpeechBrain agrees with it."""
    checks = [check_parity(one.folder) for one in found if one.can_be_compared]
    for check in checks:
        print(f"{check.folder}: {check.text}", file=sys.stderr if as_json else sys.stdout)
    agrees = all(check.passed is not False for check in checks)
    return agrees and _is_sound(found, asked_by_id=asset_id is not None)


def _verify_folder(folder: Path, *, as_json: bool) -> int:
    check = check_parity(folder)
    print(json.dumps(asdict(check), indent=2) if as_json else f"{check.folder}: {check.text}")
    return EXIT_OK if check.passed else EXIT_UNAVAILABLE


def _fetch(store: WeightStore, chosen: list[Asset], display: _ProgressDisplay) -> int:
    for asset in chosen:
        paths = store.ensure(asset)
        print(f"{asset.id}: installed, {len(paths)} file(s) verified")
        for path in paths.values():
            print(f"  {path}")
        if asset.id in MODELS:
            _convert(asset.id, store.models_dir, display)
    return EXIT_OK


def _convert(model: str, models_dir: Path, display: _ProgressDisplay) -> None:
    """Convert it for OpenVINO; where that fails, the model is fetched all the same."""

    def show(progress: Progress) -> None:
        display.show_step(f"{model}: converting for OpenVINO", progress.done, progress.total)

    try:
        convert_apart(model, models_dir, show, lambda: False)
    except ConversionFailed as error:
        display.end_line()
        complain(f"{model} could not be converted for OpenVINO, torch will run it: {error}")
    else:
        print(f"{model}: converted for OpenVINO")


@dataclass(frozen=True, slots=True)
class _Found:
    asset: Asset
    files: tuple[tuple[AssetFile, Path, State], ...]

    @property
    def state(self) -> State:
        states = {state for _file, _path, state in self.files}
        return next(
            (worst for worst in (State.DAMAGED, State.ABSENT) if worst in states), State.INSTALLED
        )

    @property
    def folder(self) -> Path:
        return self.files[0][1].parent

    @property
    def can_be_compared(self) -> bool:
        is_ecapa = isinstance(self.asset, ModelCard) and self.asset.network == "ecapa"
        return is_ecapa and self.state is State.INSTALLED

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.asset.id,
            "kind": "model" if self.asset.id in MODELS else "sample",
            "title": self.asset.title,
            "licence": self.asset.licence,
            "homepage": self.asset.homepage,
            "n_bytes": self.asset.n_bytes,
            "state": self.state.value,
            "files": [
                {
                    "path": str(path),
                    "n_bytes": file.n_bytes,
                    "sha256": file.sha256,
                    "state": state.value,
                }
                for file, path, state in self.files
            ],
        }


def _inspect(store: WeightStore, asset: Asset) -> _Found:
    files = ((file, store.path(asset, file), store.state(asset, file)) for file in asset.files)
    return _Found(asset, tuple(files))


def _is_sound(found: list[_Found], *, asked_by_id: bool) -> bool:
    """Whether a verification passes: asked about everything, what was never fetched is no fault."""
    states = {one.state for one in found}
    if asked_by_id:
        return states == {State.INSTALLED}
    return State.INSTALLED in states and State.DAMAGED not in states


def _table(found: list[_Found]) -> str:
    lines = [f"{'ID':20} {'LICENCE':11} {'SIZE':>9}  {'STATE':10} PATH"]
    for one in found:
        size = f"{one.asset.n_bytes / 1e6:.1f} MB"
        cells = f"{one.asset.id:20} {one.asset.licence:11} {size:>9}  "
        for _file, path, state in one.files:
            lines.append(f"{cells}{state.value:10} {path}")
            cells = " " * len(cells)
    return "\n".join(lines)


class _ProgressDisplay:
    """Progress on stderr: one line rewritten in place on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shown = 0
        self._line = ""
        self._detail = ""
        self._printed_s = 0.0

    def show(self, progress: FetchProgress) -> None:
        """Show it, if it is news."""
        line = progress.detail
        if progress.done_bytes:
            line += f": {progress.done_bytes / 1e6:.1f} of {progress.total_bytes / 1e6:.1f} MB"
        self._show(line, progress.detail, at_end=progress.done_bytes == progress.total_bytes)

    def show_step(self, detail: str, done: int, total: int | None) -> None:
        """Show how many steps of ``detail`` are done."""
        self._show(f"{detail}: {done} of {total} steps", detail, at_end=done == total)

    def _show(self, line: str, detail: str, *, at_end: bool) -> None:
        if self._on_terminal:
            print(f"\r{line:{self._shown}}", end="", file=sys.stderr, flush=True)
            self._shown = len(line)
            if at_end:
                self.end_line()
            return
        now_s = time.monotonic()
        due = now_s - self._printed_s >= _PLAIN_LINE_INTERVAL_S
        if (at_end or due or detail != self._detail) and line != self._line:
            print(line, file=sys.stderr, flush=True)
            self._line = line
            self._detail = detail
            self._printed_s = now_s

    def end_line(self) -> None:
        """Leave the line that is rewritten."""
        if self._shown:
            print(file=sys.stderr)
            self._shown = 0
