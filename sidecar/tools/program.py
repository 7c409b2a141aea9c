"""The command that starts a sidecar for a tool: this program's own, or ``SIDECAR_ARGV``."""

from __future__ import annotations

import os
import shlex
import sys

from sidecar.bundle import is_bundle

ARGV_VARIABLE = "SIDECAR_ARGV"


def sidecar_argv() -> list[str]:
    """The command that starts a sidecar: ``SIDECAR_ARGV`` where it is set, or this program."""
    chosen = os.environ.get(ARGV_VARIABLE)
    return split_words(chosen) if chosen else own_argv()


def own_argv() -> list[str]:
    """The command that starts this program."""
    return [sys.executable] if is_bundle() else [sys.executable, "-m", "sidecar"]


def split_words(text: str) -> list[str]:
    """The words of a command line, as this system's shell sees them."""
    if os.name == "posix":
        return shlex.split(text)
    # Backslashes are no escapes there, and the quotes would stay.
    return [word.strip('"') for word in shlex.split(text, posix=False)]
