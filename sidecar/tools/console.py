"""The console, by rich: set up so that no character can fail on it, and quiet where nobody looks.

What is printed is data, never markup: a file's name may have brackets in it.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from protocol.errors import ModelUnavailable
from sidecar.config import EXIT_INTERRUPTED, EXIT_IO, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from sidecar.store.weights import FetchProgress

_DEFAULT_WIDTH = 80
_MAX_WIDTH = 100  # longer lines are hard to read
_PLAIN_LINE_INTERVAL_S = 5.0


class Refusal(Exception):
    """A tool cannot go on: what the person is told, and the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class _Output(Console):
    """Draws in ASCII where there is no terminal, and raises ``BrokenPipeError``."""

    @property
    def encoding(self) -> str:
        """What rich chooses the lines of tables and rules by; text is written as it is."""
        return super().encoding if self.is_terminal else "ascii"

    def on_broken_pipe(self) -> None:
        """Leave it to the command; rich would end the process."""
        raise BrokenPipeError


def open_console(*, stderr: bool = False) -> Console:
    """Standard output, or error, as rich prints on it: colour and boxes on a terminal alone.

    ``NO_COLOR``, ``TERM=dumb``, ``COLUMNS`` and Windows' older consoles are rich's own concern.
    """
    stream = sys.stderr if stderr else sys.stdout
    # None in a program without a console.
    on_terminal = stream is not None and stream.isatty()
    if isinstance(stream, io.TextIOWrapper):
        # A terminal understands its own encoding; a file or a pipe takes any, and gets UTF-8
        # also where Windows would write a code page.
        stream.reconfigure(encoding=None if on_terminal else "utf-8")
        # In UTF-8 nothing can fail but the bytes of a path that are none.
        is_utf8 = codecs.lookup(stream.encoding).name == "utf-8"
        stream.reconfigure(errors="backslashreplace" if is_utf8 else "replace")
    console = _Output(stderr=stderr, markup=False, emoji=False, highlight=False)
    console.width = min(_MAX_WIDTH, console.width) if on_terminal else _DEFAULT_WIDTH
    return console


def complain(message: str) -> None:
    """Print ``message`` on standard error, wrapped on a terminal; its own line breaks stay."""
    console = open_console(stderr=True)
    console.print(message, soft_wrap=not console.is_terminal)


def facts(rows: Iterable[tuple[str | Text, str]]) -> Table:
    """Names, and what is to be said about each, wrapped beside it."""
    columns = Column(style="bold", no_wrap=True), Column(overflow="fold")
    table = Table.grid(*columns, padding=(0, 2))
    for name, text in rows:
        table.add_row(name, text)
    return table


def in_megabytes(done_bytes: int, total_bytes: int | None) -> str:
    """How much of how much has been fetched."""
    total = f" of {total_bytes / 1e6:.1f}" if total_bytes else ""
    return f"{done_bytes / 1e6:.1f}{total} MB"


class ProgressLine:
    """How far something is, on stderr: a passing line on a terminal, else one now and then."""

    def __init__(self) -> None:
        self._console = open_console(stderr=True)
        # The default spinner is drawn in Braille, which many a font lacks.
        self._status = self._console.status("", spinner="line")
        self._step = ""
        self._printed_at = 0.0

    def show(self, step: str, detail: str = "") -> None:
        """Show it. Without a terminal: a new ``step`` at once, a new ``detail`` now and then."""
        line = f"{step} {detail}".rstrip()
        if self._console.is_terminal:
            self._status.update(Text(line))
            self._status.start()
            return
        now = time.perf_counter()
        if step != self._step or now - self._printed_at >= _PLAIN_LINE_INTERVAL_S:
            self._console.print(line, soft_wrap=True)
            self._step, self._printed_at = step, now

    def show_fetch(self, fetched: FetchProgress) -> None:
        """Show what is fetched, and how much of it has come."""
        share = f"({in_megabytes(fetched.done_bytes, fetched.total_bytes)})"
        self.show(fetched.detail, share if fetched.done_bytes else "")

    def clear(self) -> None:
        """Take the passing line away."""
        self._status.stop()


def exit_code_of(command: Callable[[ProgressLine], int]) -> int:
    """Carry ``command`` out to its end, good or bad, and give its exit code.

    A ``Refusal`` has its own; 69 if a model is unavailable; 74 if standard output is closed; 130
    after Ctrl-C.
    """
    progress = ProgressLine()
    try:
        return command(progress)
    except Refusal as refusal:
        message, exit_code = str(refusal), refusal.exit_code
    except ModelUnavailable as error:
        message, exit_code = error.message, EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        message, exit_code = "Stopped.", EXIT_INTERRUPTED
    except OSError as error:
        if not _is_closed_pipe(error):
            raise
        # Else the interpreter would complain at its end that it cannot flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_IO
    finally:
        progress.clear()
    complain(message)
    return exit_code


def _is_closed_pipe(error: OSError) -> bool:
    """Windows often says EINVAL where nobody reads a pipe; about a file, it names the file."""
    says_einval = error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and says_einval)
