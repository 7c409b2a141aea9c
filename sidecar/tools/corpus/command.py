"""The command line of ``speaker-sidecar corpus``. Imports nothing of the extra ``[corpus]``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from sidecar.config import DEVICE_PATTERN, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.serve_options import Parser, add_models_dir, number, positive
from sidecar.tools.console import ProgressLine, Refusal, exit_code_of
from sidecar.tools.demo_report import CAMPPLUS

_PARTS = {
    "embed": "embed all recordings of an archive into a Parquet data set",
    "search": "find in a data set who sounds like somebody",
    "speakers": "find out who of a data set is one person",
    "check": "find labels of a data set that disagree with the voice",
}
_NEEDED = {"embed": ("ray", "pyarrow"), "speakers": ("pyarrow", "scipy")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART", parser_class=Parser)
    adding = {"embed": _add_embed, "search": _add_search, "speakers": _add_speakers}
    for name, purpose in _PARTS.items():
        part = parts.add_parser(name, help=purpose, description=f"{purpose}; see docs/corpus.md")
        adding.get(name, _add_check)(part)


def run(options: argparse.Namespace) -> int:
    """Carry out the part that was asked for.

    Returns:
        0; 64 for options, a source or a data set that cannot be used; 69 if the model, the device,
        Ray or a package is unavailable; 70 if it failed inside; 74 if standard output is closed;
        130 after Ctrl-C.
    """
    return exit_code_of(lambda progress: _run(options, progress))


def _run(options: argparse.Namespace, progress: ProgressLine) -> int:
    if not DEVICE_PATTERN.fullmatch(getattr(options, "device", "auto")):
        raise Refusal(f"--device {options.device}: must be auto, cpu, cuda or cuda:N", EXIT_USAGE)
    needed = _NEEDED.get(options.part, ("pyarrow",))
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        how = "pip install 'speaker-sidecar[corpus]'"
        raise Refusal(f"{' and '.join(missing)} must be installed: {how}", EXIT_UNAVAILABLE)
    part = importlib.import_module(f"sidecar.tools.corpus.{options.part}")
    return int(part.run(options, progress))


def _add_embed(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    source = "a folder, a pattern, a manifest (.csv, .tsv, .jsonl, .parquet), or Kaldi's wav.scp"
    block = "rows of one block, of which a kill loses those under way; default: up to 500"
    add("source", metavar="SOURCE", help=source)
    add("--out", required=True, metavar="DIR", help="the data set, begun or continued; or a URI")
    add("--model", default=CAMPPLUS, metavar="ID|DIR", help="default: %(default)s")
    add_models_dir(parser)
    add("--offline", action="store_true", help="never use the network for models")
    add("--speech", choices=("auto", "all", "require"), default="auto", help="as for embed")
    device = "cuda: a GPU for each actor; default: %(default)s"
    add("--device", choices=("cpu", "cuda"), default="cpu", help=device)
    add("--threads", type=positive, default=1, metavar="N", help="of an actor; default: 1")
    actors = "how many encoders; default: one for each GPU, or for each N cores"
    add("--actors", type=positive, metavar="N", help=actors)
    add("--block", type=positive, metavar="N", help=block)
    add("--ray", metavar="ADDRESS", help="a running cluster; default: this machine alone")
    add("--retry", action="store_true", help="also try again what has failed before")


def _add_data_set(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("data", metavar="OUT", help="what corpus embed has written")
    add("--fingerprint", metavar="F", help="of which model, where OUT has embeddings of several")
    add("--calibration", type=Path, metavar="FILE", help="what calibrate wrote")


def _add_search(parser: argparse.ArgumentParser) -> None:
    _add_data_set(parser)
    add = parser.add_argument
    like = "audio of one person; of several files, what they have in common"
    add("--like", nargs="+", required=True, type=Path, metavar="FILE", help=like)
    add("--top", type=positive, default=20, metavar="N", help="how many; default: %(default)s")
    add("--model", metavar="ID|DIR", help="what FILE is embedded with; default: that of OUT")
    add_models_dir(parser)
    add("--offline", action="store_true", help="never use the network")
    add("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="default: %(default)s")
    add("--json", action="store_true", help="print JSON")


def _add_speakers(parser: argparse.ArgumentParser) -> None:
    _add_data_set(parser)
    add = parser.add_argument
    threshold = "from which mean cosine on it is one person; default: what the scores say"
    add("--threshold", type=number(float, -1, 1), metavar="COSINE", help=threshold)
    add("--speakers", type=positive, metavar="N", help="how many there are, where that is known")
    add("--out", type=Path, metavar="FILE", help="each one's speaker, as .csv or .parquet")
    add("--json", action="store_true", help="print JSON")


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_data_set(parser)
    add = parser.add_argument
    add("--out", type=Path, metavar="FILE", help="all that was found, as .csv or .parquet")
    add("--json", action="store_true", help="print JSON")
