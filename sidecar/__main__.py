"""The command line: argv to a subcommand. Imports nothing heavy before ``hello`` is sent."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sidecar import __version__
from sidecar.config import (
    DEFAULT_LIMITS,
    DEFAULT_MODEL,
    DEVICE_PATTERN,
    EXIT_SOFTWARE,
    EXIT_USAGE,
    PRECISIONS,
    RUNTIMES,
    Config,
    PathRoot,
)
from sidecar.shipped import default_model, is_bundle

# Each is a module of ``sidecar.tools``, imported only when it runs.
TOOLS = {
    "bench": "measure how fast this machine embeds, and against what",
    "convert": "make a model ready for OpenVINO, as its first start does",
    "demo": "tell the people in a conversation apart",
    "doctor": "say what this machine has, which device serves, and why",
    "harness": "play a JSON file to a sidecar, and test what comes",
    "models": "list, fetch and verify models",
}
# They take a Python with torch and pip, and a bundle has its models inside.
NOT_BUNDLED = ("bench", "convert", "models")

if TYPE_CHECKING:
    from types import ModuleType

    from sidecar.interface import Backend

_MIB = 2**20


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand in ``argv``, ``serve`` where none is named; the exit code."""
    if is_bundle():
        import multiprocessing  # noqa: PLC0415

        multiprocessing.freeze_support()
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
    parser = _Parser(
        prog="speaker-sidecar",
        description="Speech to speaker embeddings, for a host that talks to it over a pipe.",
    )
    parser.add_argument("--version", action="version", version=f"speaker-sidecar {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    _add_serve_options(
        commands.add_parser("serve", help="serve a host over stdin and stdout (the default)")
    )
    for name, purpose in tools().items():
        tool_parser = commands.add_parser(name, help=purpose)
        if tool is not None and tool.__name__.endswith(f".{name}"):
            tool.add_arguments(tool_parser)
    return parser


def _add_serve_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    default = f"{DEFAULT_MODEL}, or the first that came with --models-dir or this bundle"
    add("--model", metavar="ID|DIR", help=f"default: {default}")
    add("--models-dir", type=Path, metavar="DIR", help="where the models' weights are kept")
    add("--offline", action="store_true", help="never use the network")
    add("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="default: %(default)s")
    add("--gpu", action="store_true", help="like auto, but degraded if the CPU has to serve")
    add("--runtime", choices=RUNTIMES, default="auto", help="auto: OpenVINO on the CPU, else torch")
    add("--precision", choices=PRECISIONS, default="f32", help="bf16: on CPUs that have it")
    add("--threads", type=_positive, metavar="N", help="for the CPU; default: cores, but one")
    add("--background", action="store_true", help="leave the CPU to others that want it")
    add("--parent-pid", type=_positive, metavar="N", help="end when this process is gone")
    add(
        "--path-root",
        type=_path_root,
        metavar="DIR|none",
        help="confine audio given by path to a folder, or turn it off",
    )
    add("--max-frame-mib", type=_positive, default=64, metavar="N", help="default: %(default)s")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    add("--log-format", choices=("text", "json"), default="text")


def serve(
    options: argparse.Namespace, open_backend: Callable[[Config], Backend] | None = None
) -> int:
    """Serve the host on standard input and output; ends the process, unless it cannot begin.

    ``open_backend`` is for tests: what takes the place of ``SpeechBackend``.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        print(
            "speaker-sidecar serve speaks a binary protocol over pipes (see PROTOCOL.md); "
            "to see it work, run: speaker-sidecar demo",
            file=sys.stderr,
        )
        return EXIT_USAGE
    config = _read_config(options)
    from sidecar.stdio import claim_stdio  # noqa: PLC0415

    try:
        wire = claim_stdio()
    except OSError as error:
        print(f"standard input and output must be open pipes: {error}", file=sys.stderr)
        return EXIT_USAGE
    # From here on a signal is a request to stop, though there is nobody yet to take it.
    stop_requests: list[str] = []
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda n, _: stop_requests.append(signal.Signals(n).name))
    from sidecar.hello import say_hello  # noqa: PLC0415

    say_hello(config, wire)
    from sidecar import log  # noqa: PLC0415
    from sidecar.backend import SpeechBackend  # noqa: PLC0415
    from sidecar.server import Server  # noqa: PLC0415

    log_handler = log.configure(options.log_level, options.log_format)
    server = Server(config, wire, (open_backend or SpeechBackend)(config))
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda n, _: server.request_stop(signal.Signals(n).name))
    if stop_requests:
        server.request_stop(stop_requests[0])
    try:
        exit_code = server.run()
    except Exception:
        logging.getLogger(__name__).exception("the main thread failed")
        exit_code = EXIT_SOFTWARE
    log_handler.finish(timeout_s=0.1)
    # Threads may still be inside a device call or a read; nothing may wait for them.
    os._exit(exit_code)


def read_config(serve_options: Sequence[str]) -> Config:
    """What these options of ``serve`` mean; ends the process, like ``serve``, if they are wrong."""
    return _read_config(_build_parser().parse_args(["serve", *serve_options]))


def _read_config(options: argparse.Namespace) -> Config:
    if not DEVICE_PATTERN.fullmatch(options.device):
        _refuse(f"--device {options.device}: it must be auto, cpu, cuda or cuda:N")
    if options.gpu and options.device != "auto":
        _refuse("--gpu means --device auto: give one of the two")
    if options.runtime == "openvino" and (options.gpu or options.device.startswith("cuda")):
        _refuse("--runtime openvino is for the CPU: a GPU needs torch")
    max_frame_bytes = options.max_frame_mib * _MIB
    if max_frame_bytes >= 2**32:
        _refuse("--max-frame-mib: a frame's length has 32 bits, so 4095 is the most")
    limits = replace(
        DEFAULT_LIMITS,
        max_frame_bytes=max_frame_bytes,
        max_queued_bytes=max(DEFAULT_LIMITS.max_queued_bytes, max_frame_bytes),
    )
    models_dir = options.models_dir.expanduser() if options.models_dir else None
    return Config(
        model=default_model(models_dir) if options.model is None else options.model,
        models_dir=models_dir,
        offline=options.offline,
        device=options.device,
        gpu=options.gpu,
        runtime=options.runtime,
        precision=options.precision,
        threads=options.threads,
        background=options.background,
        parent_pid=options.parent_pid,
        path_root=options.path_root or "any",
        limits=limits,
    )


def _refuse(message: str) -> NoReturn:
    print(f"speaker-sidecar serve: {message}", file=sys.stderr)
    raise SystemExit(EXIT_USAGE)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _path_root(text: str) -> PathRoot:
    if text == "none":
        return "none"
    root = Path(text)
    if not root.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return root.resolve()


if __name__ == "__main__":
    raise SystemExit(main())
