"""Log lines on standard error, written by a thread of their own.

A host that never drains our standard error fills its pipe. A plain handler would then block the
thread that logs, and with it the service; this one drops lines instead, and says how many.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import threading
import time

_MAX_WAITING_LINES = 1000
_STDERR_FD = 2


def configure(level: str, log_format: str) -> StderrHandler:
    """Log all of ``level`` and above, as ``text`` or ``json`` lines, to what is now fd 2."""
    handler = StderrHandler(os.dup(_STDERR_FD))
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    return handler


class StderrHandler(logging.Handler):
    """Hands each line to the thread that writes it to ``fd``."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._lines: queue.Queue[str | None] = queue.Queue(_MAX_WAITING_LINES)
        self._n_dropped = 0
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line, or count it as dropped: a wrong call must not end its thread."""
        try:
            self._lines.put_nowait(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - the queue is full, or the record does not fit its text
            self._n_dropped += 1

    def finish(self, timeout_s: float) -> None:
        """Write what waits, for at most ``timeout_s``; log nothing afterwards."""
        ends_at = time.perf_counter() + timeout_s
        try:
            self._lines.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._writer.join(max(0.0, ends_at - time.perf_counter()))

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._n_dropped = self._n_dropped, 0
            if dropped:
                note = f"{dropped} log lines dropped: standard error was not read"
                line = (
                    self.format(logging.makeLogRecord({"name": __name__, "msg": note}))
                    + "\n"
                    + line
                )
            # The host has closed its end, or the disk is full: a later line may fare better.
            with contextlib.suppress(OSError):
                rest = line.encode()
                while rest:
                    rest = rest[self._write_some(rest) :]

    def _write_some(self, line: bytes) -> int:
        try:
            return os.write(self._fd, line)
        except BlockingIOError:  # a host may have left its end in a mode of its own
            time.sleep(0.05)
            return 0


class TextFormatter(logging.Formatter):
    """``12:00:00.000 warning server: text``, one line whatever the text holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for ``record``."""
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += " | " + self.formatException(record.exc_info)
        text = text.replace("\n", " | ")
        line = f"{at}.{int(record.msecs):03d} {record.levelname.lower()} {record.name}: {text}"
        return _unicode(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (s since 1970), ``level``, ``logger``, ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for ``record``."""
        entry = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _unicode(record.getMessage()),
        }
        if record.exc_info:
            entry["traceback"] = _unicode(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def _unicode(text: str) -> str:
    """``text`` with escapes for what is no Unicode: of a path, bytes that are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()
