"""``speaker-sidecar harness``: plays a JSON file to a real sidecar, and compares what comes."""

from sidecar.tools.harness.command import add_arguments, run

__all__ = ["add_arguments", "run"]
