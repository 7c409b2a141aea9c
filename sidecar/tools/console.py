"""The console: what it can show, and a line on it that tells how far something is.

Windows' own console knows few characters beyond those of DOS; what the tools draw keeps to them.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.wire import windows_api

if sys.platform == "win32":
    pass

_DEFAULT_WIDTH = 80
_MAX_WIDTH = 100  # longer lines are hard to read
_MIN_WIDTH = 20
_PLAIN_LINE_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class Console:
    """What standard output can show. Without a terminal: no colour, ASCII, 80 columns."""

    width: int = _DEFAULT_WIDTH
    has_colour: bool = False
    has_unicode: bool = False

    def paint(self, text: str, *sgr: int) -> str:
        """``text`` with ECMA-48's SGR parameters, where there is colour."""
        if not (self.has_colour and sgr):
            return text
        return f"\x1b[{';'.join(map(str, sgr))}m{text}\x1b[0m"

    def glyph(self, unicode: str, plain: str) -> str:
        """The one of the two that can be shown."""
        return unicode if self.has_unicode else plain


class Refusal(Exception):
    """A tool cannot go on: what the person is told, and the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def complain(message: str) -> None:
    """Print ``message`` on stderr, wrapped; its own line breaks stay."""
    for line in message.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped = textwrap.fill(
            line,
            _MAX_WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        print(wrapped, file=sys.stderr)


def in_megabytes(done_bytes: int, total_bytes: int | None) -> str:
    """How much of how much has been fetched."""
    total = f" of {total_bytes / 1e6:.1f}" if total_bytes else ""
    return f"{done_bytes / 1e6:.1f}{total} MB"


def open_console(environment: Mapping[str, str] = os.environ) -> Console:
    """Set standard output up so that no character can fail on it, and see what it can show."""
    out = sys.stdout
    # None in a program without a console.
    on_terminal = out is not None and out.isatty()
    if isinstance(out, io.TextIOWrapper):
        # A terminal understands its own encoding; a file or a pipe takes any, and gets UTF-8
        # also where Windows would write a code page.
        out.reconfigure(encoding=None if on_terminal else "utf-8", errors="replace")
    columns = shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns
    is_smart = on_terminal and environment.get("TERM") != "dumb"
    return Console(
        width=max(_MIN_WIDTH, min(_MAX_WIDTH, columns)),
        has_colour=is_smart and not environment.get("NO_COLOR") and _takes_escapes(),
        has_unicode=is_smart and _is_utf8(out.encoding),
    )


def _is_utf8(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").replace("_", "") == "utf8"


def _takes_escapes() -> bool:
    if sys.platform == "win32":
        return windows_api.enable_escapes(sys.stdout.fileno())
    return True


class ProgressLine:
    """How far something is, on stderr: a passing line on a terminal, else one now and then."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shown = 0
        self._step = ""
        self._printed_at = 0.0

    def show(self, step: str, detail: str = "") -> None:
        """Show it. Without a terminal: a new ``step`` at once, a new ``detail`` now and then."""
        line = f"{step} {detail}".rstrip()
        if sys.stderr is None:
            return
        if self._on_terminal:
            # In the last column the line would wrap.
            line = line[: shutil.get_terminal_size().columns - 1]
            print(f"\r{line:{self._shown}}", end="", file=sys.stderr, flush=True)
            self._shown = len(line)
            return
        now = time.monotonic()
        if step != self._step or now - self._printed_at >= _PLAIN_LINE_INTERVAL_S:
            print(line, file=sys.stderr, flush=True)
            self._step, self._printed_at = step, now

    def clear(self) -> None:
        """Take the line that is rewritten away."""
        if self._shown:
            print(f"\r{'':{self._shown}}\r", end="", file=sys.stderr, flush=True)
            self._shown = 0
