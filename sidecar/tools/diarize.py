"""``speaker-sidecar diarize``: who speaks when in recordings, as a table and in files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.serve_options import positive
from sidecar.tools import diarized_files, timeline_picture
from sidecar.tools.console import (
    ProgressLine,
    Refusal,
    complain,
    exit_code_of,
    open_console,
)
from sidecar.tools.diarization_formats import as_json, as_rttm, as_vtt
from sidecar.tools.diarized_files import DiarizedFile
from sidecar.tools.timeline_picture import clock

# What can be written of each recording: the option, and so the file's ending, and what is in it.
_FORMATS: Mapping[str, tuple[str, Callable[[DiarizedFile], str]]] = {
    "rttm": (".rttm", as_rttm),
    "json": (".json", as_json),
    "vtt": (".vtt", as_vtt),
    "picture": (".svg", timeline_picture.draw),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``."""
    add = parser.add_argument
    beside = "beside it, or in --out"
    add("files", nargs="+", type=Path, metavar="FILE|DIR", help="recordings, or folders of them")
    add("--rttm", action="store_true", help=f"write NAME.rttm for each recording, {beside}")
    add("--json", action="store_true", help="the same with NAME.json, which has embeddings, too")
    add("--vtt", action="store_true", help="the same with NAME.vtt: WebVTT, for players")
    add("--picture", action="store_true", help="the same with NAME.svg: a row for each speaker")
    add("--out", type=Path, metavar="DIR", help="where files are written; made if need be")
    add("--speakers", type=positive, metavar="N", help="how many there are, where that is known")
    add("--exclusive", action="store_true", help="one speaks at a time, as transcripts want it")
    add("--gallery", type=Path, metavar="FILE", help="name them: whom serve --gallery has enrolled")
    diarized_files.add_sidecar_options(parser)


def run(options: argparse.Namespace) -> int:
    """Diarize and print.

    Returns:
        0; 64 for options that cannot be used, or where a file would be overwritten; 69 if the
        model or the device is unavailable, or a recording cannot be read; 70 if the sidecar died;
        74 if standard output is closed; 130 after Ctrl-C.
    """
    return exit_code_of(lambda progress: _diarize(options, progress))


def _diarize(options: argparse.Namespace, progress: ProgressLine) -> int:
    paths = diarized_files.find_recordings(options.files)
    written = [name for name in _FORMATS if getattr(options, name)]
    _require_room_for_names(paths, written, options.out)
    words = diarized_files.serve_options(options)
    if options.gallery is not None:
        if not options.gallery.is_file():
            raise Refusal(f"--gallery {options.gallery}: there is no such file", EXIT_USAGE)
        words += ["--gallery", str(options.gallery.absolute())]
    console, exit_code = open_console(), EXIT_OK
    answers = diarized_files.diarize_each(
        words,
        paths,
        progress,
        lambda path: diarized_files.params_for(
            path,
            n_speakers=options.speakers,
            exclusive=options.exclusive,
            identify=options.gallery is not None,
        ),
    )
    for answer in answers:
        if not isinstance(answer, DiarizedFile):
            complain(f"{answer[0]}: {answer[1]}")
            exit_code = EXIT_UNAVAILABLE
            continue
        show(answer, console, with_turns=not written)
        for name in written:
            target = _target(answer.path, name, options.out)
            target.write_text(_FORMATS[name][1](answer), "utf-8")
            console.out(f"  {target}")
    return exit_code


def _require_room_for_names(paths: list[Path], written: list[str], out: Path | None) -> None:
    """See that no file is lost: beside a recording may lie who annotated it."""
    targets = [_target(path, name, out) for path in paths for name in written]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise Refusal(f"two recordings would both become {min(twice)}", EXIT_USAGE)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        return
    for target in targets:
        if target.exists():
            raise Refusal(f"{target} is there already: name another folder with --out", EXIT_USAGE)


def _target(recording: Path, name: str, out: Path | None) -> Path:
    return (out or recording.parent) / f"{recording.stem}{_FORMATS[name][0]}"


def show(recording: DiarizedFile, console: Console, *, with_turns: bool) -> None:
    """Print who speaks in ``recording``, how long, and ``with_turns`` when."""
    speakers = recording.result["speakers"]
    counted = "nobody speaks" if not speakers else f"{len(speakers)} speaker(s)"
    console.out(f"{recording.path}: {clock(recording.duration_s)}, {counted}")
    for warning in recording.result.get("warnings", ()):
        complain(f"{recording.path}: {warning['message']}")
    if not speakers:
        return
    names = recording.names
    table = Table("", "SPEAKS", "", box=None, pad_edge=False, padding=(0, 3, 0, 2))
    for one in speakers:
        probability = one.get("probability")
        sure = "" if probability is None else f"probability {probability:.3f}"
        table.add_row(names[one["label"]], clock(one["speech_s"]), sure)
    console.print(table)
    if not with_turns:
        return
    turns = Table("FROM", "TO", "WHO", "", box=None, pad_edge=False, padding=(0, 3, 0, 2))
    for turn in recording.turns:
        overlap = "not alone" if turn.overlap else ""
        turns.add_row(f"{turn.start_s:.2f}", f"{turn.end_s:.2f}", turn.name, overlap)
    console.print("", turns, sep="\n")
