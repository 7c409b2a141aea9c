"""Who speaks now, for a person who watches: lines that change on a terminal, else one for each."""

from __future__ import annotations

import queue

from rich.console import Console
from rich.live import Live as Region
from rich.text import Text

from protocol.python import LiveTurn

_STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
_SOMEBODY = "somebody"


class LiveView:
    """Takes turns in on one thread, and shows them on another.

    A turn's line changes until it is final. Without a terminal a line is printed when it is known
    who speaks, and when a turn is final.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._news: queue.SimpleQueue[LiveTurn] = queue.SimpleQueue()
        self._open: dict[int, LiveTurn] = {}
        self._said: dict[int, str] = {}
        self._styles: dict[str, str] = {}
        self._region = Region(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:  # noqa: PYI034 - Self is not in Python 3.10
        if self._console.is_terminal:
            self._region.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.show("")
        self._region.stop()

    def take(self, turn: LiveTurn) -> None:
        """Something of a turn is news."""
        self._news.put(turn)

    def show(self, state: str) -> None:
        """Show what is known by now; ``state``: how far it is."""
        while not self._news.empty():
            turn = self._news.get()
            if turn.final:
                self._open.pop(turn.turn, None)
                if turn.end_s is not None and turn.end_s > turn.start_s:
                    self._console.print(self._line(turn))
            else:
                self._open[turn.turn] = turn
                self._say(turn)
        if self._console.is_terminal:
            lines = [self._line(turn) for turn in self._open.values()]
            self._region.update(Text("\n").join([*lines, Text(state, "dim")]), refresh=True)

    def _say(self, turn: LiveTurn) -> None:
        name = name_of(turn)
        if self._console.is_terminal or name in (_SOMEBODY, self._said.get(turn.turn)):
            return
        self._said[turn.turn] = name
        self._console.print(self._line(turn))

    def _line(self, turn: LiveTurn) -> Text:
        name = name_of(turn)
        style = self._styles.setdefault(name, _STYLES[len(self._styles) % len(_STYLES)])
        end = "..." if turn.end_s is None else f"{turn.end_s:.1f}"
        sure = "" if turn.probability is None else f"  {100 * turn.probability:.1f} %"
        line = Text(f"{turn.start_s:8.1f} - {end:>8}  ")
        is_known = name != _SOMEBODY
        return line.append(name, style if is_known else "dim").append(sure, "dim")


def name_of(turn: LiveTurn) -> str:
    """The person's name, where that is known, or else the label."""
    return turn.person.name if turn.person is not None else turn.speaker or _SOMEBODY
