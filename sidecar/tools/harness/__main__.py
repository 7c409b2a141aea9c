"""``python -m sidecar.tools.harness``: the command on its own."""

from __future__ import annotations

import argparse
import sys

from sidecar.tools.harness import add_arguments, run, split_command


def main() -> int:
    """Run the command with this process's arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="speaker-sidecar harness")
    add_arguments(parser)
    arguments, child_argv = split_command(sys.argv[1:])
    return run(parser.parse_args(arguments, argparse.Namespace(child_argv=child_argv)))


if __name__ == "__main__":
    raise SystemExit(main())
