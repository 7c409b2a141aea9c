"""The command line: argv to a subcommand. Imports nothing heavy before ``hello`` is sent."""

from __future__ import annotations

import sidecar.search_path  # noqa: F401 - before all others

# isort: split
import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sidecar import __version__
from sidecar.bundle import is_bundle
from sidecar.config import EXIT_SOFTWARE, EXIT_USAGE, Config
from sidecar.serve_options import Parser, add_serve_options, read_config
from sidecar.utf8_mode import restart_in_utf8_mode

# Each is a module of ``sidecar.tools``, imported only when it runs.
TOOLS = {
    "bench": "measure how fast this machine embeds, and against what",
    "calibrate": "learn from trials of one's own what a model's scores mean",
    "convert": "make a model ready to run on the CPU, as its first start does",
    "demo": "tell the people in a conversation apart",
    "diarize": "say who speaks when in recordings",
    "doctor": "say what this machine has, which device serves, and why",
    "evaluate": "measure on trials of one's own how well a model tells people apart",
    "harness": "send the requests in a JSON file to a sidecar, and check the answers",
    "live": "say who speaks while it is recorded or played",
    "models": "list, fetch and verify models",
}
# They take a Python with further packages, and a bundle has its models inside.
NOT_BUNDLED = ("bench", "calibrate", "convert", "evaluate", "models")

if TYPE_CHECKING:
    from types import ModuleType

    from sidecar.engine.lazy_loader import Open
    from sidecar.engine.segmentation import Segmenter
    from sidecar.engine.speech_engine import SpeechEngine
    from sidecar.speech.detector import SpeechDetector


_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand in ``argv``, ``serve`` where none is named; the exit code."""
    if is_bundle():
        import multiprocessing  # noqa: PLC0415

        multiprocessing.freeze_support()
    if argv is None:
        restart_in_utf8_mode()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in _TOP_OPTIONS):
        arguments.insert(0, "serve")
    name = arguments[0]
    tool = importlib.import_module(f"sidecar.tools.{name}") if name in tools() else None
    parser = _build_parser(tool)
    own_arguments, child_argv = split_command(arguments)
    options = parser.parse_args(own_arguments)
    if child_argv:
        if not hasattr(options, "child_argv"):
            parser.error(f"{name} takes no command behind --")
        options.child_argv = child_argv
    return serve(options) if tool is None else int(tool.run(options))


def tools() -> dict[str, str]:
    """The subcommands that this program has besides ``serve``, each with its purpose."""
    left_out = NOT_BUNDLED if is_bundle() else ()
    return {name: purpose for name, purpose in TOOLS.items() if name not in left_out}


_TOP_OPTIONS = ("-h", "--help", "--version")


def split_command(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments before the first ``--``, and the command behind it.

    argparse itself loses the ``--`` of what it collects, in other ways in each version of Python.
    """
    words = list(arguments)
    cut = words.index("--") if "--" in words else len(words)
    return words[:cut], words[cut + 1 :]


def _build_parser(tool: ModuleType | None = None) -> argparse.ArgumentParser:
    """The parser; ``tool`` is the one that runs, as only its own module knows its options."""
    parser = Parser(
        prog="speaker-sidecar",
        description="Speech to speaker embeddings, for a host that talks to it over a pipe.",
    )
    parser.add_argument("--version", action="version", version=f"speaker-sidecar {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    add_serve_options(
        commands.add_parser("serve", help="serve a host over stdin and stdout (the default)")
    )
    for name, purpose in tools().items():
        tool_parser = commands.add_parser(name, help=purpose)
        if tool is not None and tool.__name__.endswith(f".{name}"):
            tool.add_arguments(tool_parser)
    return parser


def serve(
    options: argparse.Namespace,
    open_engine: Callable[[Config], SpeechEngine] | None = None,
    open_detector: Open[SpeechDetector] | None = None,
    open_segmenter: Open[Segmenter] | None = None,
) -> int:
    """Serve the host on standard input and output; ends the process, unless it cannot begin.

    The others are for tests: what gives another engine, detector, segmenter.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        print(
            "speaker-sidecar serve speaks a binary protocol over pipes (see PROTOCOL.md); "
            "to see it work, run: speaker-sidecar demo",
            file=sys.stderr,
        )
        return EXIT_USAGE
    config = read_config(options)
    from sidecar.wire.streams import claim_streams  # noqa: PLC0415

    try:
        streams = claim_streams()
    except OSError as error:
        print(f"standard input and output must be open pipes: {error}", file=sys.stderr)
        return EXIT_USAGE
    why_not_background = _step_back() if config.background else None
    # From here on a signal is a request to stop, though there is nobody yet to take it.
    stop_requests: list[str] = []
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda n, _: stop_requests.append(signal.Signals(n).name))
    from sidecar.wire.greeting import greet  # noqa: PLC0415

    greet(config, streams)
    from sidecar.wire import log  # noqa: PLC0415
    from sidecar.wire.host_bond import bind_to_host  # noqa: PLC0415
    from sidecar.wire.native_output import NativeOutput  # noqa: PLC0415

    log_handler = log.configure(options.log_level, options.log_format)
    # From here on only the log writes to what was standard error.
    native_output = NativeOutput()
    if why_not_background is not None:
        _log.warning("the priority cannot be lowered: %s", why_not_background)
    bind_to_host()
    _take_along_what_it_starts()
    try:
        from sidecar.diarization import opening as diarization_opening  # noqa: PLC0415
        from sidecar.engine.speech_engine import SpeechEngine  # noqa: PLC0415
        from sidecar.requests.server import Server  # noqa: PLC0415
        from sidecar.speech import opening as speech_opening  # noqa: PLC0415

        engine = (open_engine or SpeechEngine)(config)
        server = Server(
            config,
            streams,
            engine,
            open_detector or speech_opening.from_store(config),
            open_segmenter or diarization_opening.from_store(config),
        )
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda n, _: server.request_stop(signal.Signals(n).name))
        if stop_requests:
            server.request_stop(stop_requests[0])
        exit_code = server.run()
    except Exception:  # noqa: BLE001 - whatever it is, a log line and an exit code tell of it
        _log.exception("the main thread failed")
        exit_code = EXIT_SOFTWARE
    native_output.release(timeout_s=0.1)
    log_handler.finish(timeout_s=0.1)
    # Threads may still be inside a device call or a read; nothing may wait for them.
    if sys.platform == "win32":
        from sidecar.wire import windows_api  # noqa: PLC0415

        windows_api.end_process(exit_code)
    os._exit(exit_code)


def _take_along_what_it_starts() -> None:
    """On Windows, where nothing else would end a grandchild when this process is killed."""
    if sys.platform == "win32":
        from protocol.windows_job import Job  # noqa: PLC0415

        try:
            Job().add(os.getpid())  # its handle is closed when this process ends
        except OSError as error:
            _log.warning("what this process starts may outlive it: %s", error)


def _step_back() -> OSError | None:
    from sidecar.background import step_back  # noqa: PLC0415

    try:
        step_back()
    except OSError as error:
        return error
    return None


if __name__ == "__main__":
    raise SystemExit(main())
