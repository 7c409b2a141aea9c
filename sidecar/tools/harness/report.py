"""What the harness prints: each message as a line of JSON, then what came of each entry."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence

from sidecar.tools.console import Console
from sidecar.tools.harness.course import Course

_SHORT_BIN_BYTES = 12
_BOLD, _DIM, _RED, _GREEN = 1, 2, 31, 32


class Report:
    """Prints on standard output.

    Args:
        console: what that can show.
        is_full: show bins whole.
        is_quiet: show no messages.
    """

    def __init__(self, console: Console, *, is_full: bool = False, is_quiet: bool = False) -> None:
        self._console = console
        self._is_full = is_full
        self._is_quiet = is_quiet

    def sent(self, at_ms: float, shown: dict[str, object], course: Course) -> None:
        """See ``Witness.sent``."""
        ((name, value),) = shown.items()
        line = {"at_ms": round(at_ms, 1), "entry": course.entry.number}
        self._show({**line, "sent" if name == "message" else f"sent_{name}": value})

    def received(self, at_ms: float, shown: object, course: Course | None) -> None:
        """See ``Witness.received``."""
        line: dict[str, object] = {"at_ms": round(at_ms, 1)}
        if course is not None and course.took_ms is not None:
            line |= {"entry": course.entry.number, "took_ms": round(course.took_ms, 1)}
        self._show({**line, "received": shown})

    def _show(self, line: dict[str, object]) -> None:
        if not self._is_quiet:
            text = json.dumps(as_json(line, is_full=self._is_full), ensure_ascii=False)
            print(self._console.paint(text, _DIM), flush=True)

    def finish(self, courses: Sequence[Course], faults: Sequence[str], elapsed_s: float) -> bool:
        """Print what came of it; whether all matched."""
        failed = [course for course in courses if course.differences]
        for course in courses:
            took = "" if course.took_ms is None else f" ({course.took_ms:.1f} ms)"
            if not course.differences:
                print(f"{self._console.paint('ok    ', _GREEN)} {course.entry.title}{took}")
                continue
            entry = course.entry
            print(f"{self._failed} {entry.title}{took}, {entry.place}")
            for difference in course.differences:
                print(f"         {difference}")
        for fault in faults:
            print(f"{self._failed} {fault}")
        noun = "entry" if len(courses) == 1 else "entries"
        summary = f"{len(courses)} {noun}: {len(courses) - len(failed)} as expected"
        if failed:
            summary += f", {len(failed)} not"
        if faults:
            summary += f"; {len(faults)} faults of the whole"
        print(self._console.paint(f"{summary}; {elapsed_s:.1f} s", _BOLD), flush=True)
        return not failed and not faults

    @property
    def _failed(self) -> str:
        return self._console.paint("FAILED", _RED)


def as_json(value: object, *, is_full: bool) -> object:
    """``value`` in the form in which a harness file would have it; bins shortened unless full."""
    if isinstance(value, dict):
        return {name: as_json(inner, is_full=is_full) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(inner, is_full=is_full) for inner in value]
    if isinstance(value, bytes):
        if is_full or len(value) <= _SHORT_BIN_BYTES:
            return {"$bin": base64.b64encode(value).decode()}
        begin = base64.b64encode(value[:_SHORT_BIN_BYTES]).decode()
        return {"$bin": f"{begin}...", "n_bytes": len(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value
