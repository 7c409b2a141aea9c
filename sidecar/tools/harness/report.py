"""What the harness prints: each message as a line of JSON, then what came of each entry."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Sequence

from rich.console import Console

from sidecar.tools.harness.entries import Entry
from sidecar.tools.harness.json_file import Json

_SHORT_BIN_BYTES = 12


class Report:
    """Prints on ``console``: bins whole if ``is_full``, no messages if ``is_quiet``."""

    def __init__(self, console: Console, *, is_full: bool = False, is_quiet: bool = False) -> None:
        self._console, self._is_full, self._is_quiet = console, is_full, is_quiet
        self._began_at = time.perf_counter()

    def sent(self, entry: Entry, body: Json) -> None:
        """The entry was sent: a message, bytes, or the input's end."""
        name = f"sent_{entry.kind}" if entry.kind in {"frame", "raw", "close"} else "sent"
        self._show(entry.sent_at, {"entry": entry.number, name: body})

    def received(self, at: float, message: Json, entry: Entry | None = None) -> None:
        """A message came or, where it is none, bytes; ``entry`` is what it answers."""
        of = {"entry": entry.number, "took_ms": round(entry.took_ms or 0.0, 1)} if entry else {}
        self._show(at, {**of, "received": message})

    def _show(self, at: float, values: dict[str, Json]) -> None:
        if not self._is_quiet:
            line = {"at_ms": round(1000 * (at - self._began_at), 1), **values}
            text = json.dumps(as_json(line, is_full=self._is_full), ensure_ascii=False)
            self._console.print(text, style="dim", soft_wrap=True)

    def finish(self, entries: Sequence[Entry], faults: Sequence[str]) -> bool:
        """Print what came of it; whether all matched."""
        for entry in entries:
            took = "" if entry.took_ms is None else f" ({entry.took_ms:.1f} ms)"
            if entry.differences:
                lines = [f"{entry.title}{took}, {entry.place}", *entry.differences]
                self._print("FAILED", "red", "\n         ".join(lines))
            else:
                self._print("ok", "green", f"{entry.title}{took}")
        for fault in faults:
            self._print("FAILED", "red", fault)
        n_matched = sum(not entry.differences for entry in entries)
        summary = f"{n_matched} of {len(entries)} entries as expected"
        took_s = time.perf_counter() - self._began_at
        self._console.print(f"{summary}; {took_s:.1f} s", style="bold", soft_wrap=True)
        return n_matched == len(entries) and not faults

    def _print(self, verdict: str, style: str, text: str) -> None:
        self._console.print(f"{verdict:6}", style=style, end=" ")
        self._console.print(text, soft_wrap=True)


def as_json(value: Json, *, is_full: bool) -> Json:
    """``value`` in the form in which a harness file would have it; bins shortened unless full."""
    if isinstance(value, dict):
        return {name: as_json(inner, is_full=is_full) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner, is_full=is_full) for inner in value]
    if isinstance(value, bytes):
        shown = value if is_full else value[:_SHORT_BIN_BYTES]
        text = base64.b64encode(shown).decode()
        return {"$bin": text} if shown == value else {"$bin": f"{text}...", "n_bytes": len(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value
