"""The command: its options, its child, and its exit code."""

from __future__ import annotations

import argparse
from pathlib import Path

from protocol.python.child import Child, spawn
from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from sidecar.serve_options import number, positive
from sidecar.tools.console import Refusal, exit_code_of, open_console
from sidecar.tools.harness.entries import read_entries
from sidecar.tools.harness.json_file import BadFile
from sidecar.tools.harness.report import Report
from sidecar.tools.harness.session import Session, StartFailed
from sidecar.tools.program import sidecar_argv

EXIT_MISMATCH = 1
EXAMPLES = Path(__file__).parent / "examples"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to ``parser``; what stands behind ``--`` is not for it."""
    parser.usage = "%(prog)s [options] FILE [-- COMMAND ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Plays FILE to a new sidecar (COMMAND, or this program), prints each message as JSON, and\n"
        "compares what comes with what FILE expects."
    )
    # argparse takes a percent sign in an epilog for the start of a name.
    parser.epilog = (EXAMPLES / "README.txt").read_text("utf-8").replace("%", "%%")
    # Whoever parses sets it to what stands behind "--".
    parser.set_defaults(child_argv=[])
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", type=Path, metavar="FILE", help="see below")
    examples = "print the paths of the examples that come with it"
    what.add_argument("--examples", action="store_true", help=examples)
    jobs = "how many requests may be in flight at a time; default: %(default)s"
    add("--jobs", type=positive, default=1, metavar="N", help=jobs)
    add("--model", metavar="ID|DIR", help="the model that this program's own sidecar serves")
    add("--full", action="store_true", help="print audio and embeddings whole")
    add("--quiet", action="store_true", help="print no messages, only what came of the entries")
    up_to_a_day = number(float, 0.001, 86_400)
    timeout = "the longest wait for the start, an answer or the end; default: %(default)g"
    add("--timeout-s", type=up_to_a_day, default=120.0, metavar="S", help=timeout)


def run(options: argparse.Namespace) -> int:
    """Play the file to ``options.child_argv``, or to this program where that is empty.

    Returns:
        0 if all was as expected; 1 if not; 64 for a file that cannot be used; 69 if the child did
        not start; 74 if the output was lost; 130 after Ctrl-C.
    """
    return exit_code_of(lambda _progress: _run(options))


def _run(options: argparse.Namespace) -> int:
    console = open_console()
    if options.examples:
        console.out("\n".join(str(path) for path in sorted(EXAMPLES.glob("*.json*"))))
        return EXIT_OK
    # Its log is for what goes wrong: the messages are printed here.
    argv = options.child_argv or [*sidecar_argv(), "--log-level", "warning"]
    if options.model is not None:
        if options.child_argv:
            raise Refusal("--model is for this program's own sidecar: put it behind --", EXIT_USAGE)
        argv += ["--model", options.model]
    try:
        entries = read_entries(options.file)
    except BadFile as error:
        raise Refusal(str(error), EXIT_USAGE) from error
    report = Report(console, is_full=options.full, is_quiet=options.quiet)
    session = Session(entries, jobs=options.jobs, timeout_s=options.timeout_s, report=report)
    try:
        process = spawn(argv)
    except OSError as error:
        raise Refusal(f"{argv[0]} cannot be started: {error.strerror}", EXIT_UNAVAILABLE) from error
    try:
        with Child(process, session.take, session.take) as child:
            session.play(child)
    except StartFailed as error:
        told = "\n".join((*session.faults, f"the child did not start: {error}"))
        raise Refusal(told, EXIT_UNAVAILABLE) from error
    return EXIT_OK if report.finish(entries, session.faults) else EXIT_MISMATCH
