"""A terminal that is none, and what a tool prints on it."""

from __future__ import annotations

import contextlib
import io
import re

from sidecar.tools.console import open_console

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class FakeOutput(io.TextIOWrapper):
    def __init__(self, encoding="utf-8", *, on_terminal=True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self._on_terminal = on_terminal

    def isatty(self) -> bool:
        return self._on_terminal

    def written(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def shown(view, subject, width=80, *, on_terminal=False) -> list[str]:
    """The lines of what ``view`` makes of ``subject``, as a tool prints them."""
    out = FakeOutput(on_terminal=on_terminal)
    with contextlib.redirect_stdout(out):
        console = open_console()
        console.width = width
        console.print(view(subject, console))
    return [line.rstrip(" ") for line in out.written().splitlines()]
