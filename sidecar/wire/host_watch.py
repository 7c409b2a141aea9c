"""Whether the process that we serve is still there."""

from __future__ import annotations

import psutil


class HostWatch:
    """Watches the process ``pid``.

    Its creation time is remembered, so that another process which gets the same pid later does not
    pass for it. A zombie counts as gone: it will never read again.
    """

    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    def is_gone(self) -> bool:
        """Whether it ended, as far as this system tells us."""
        if self._process is None:
            return True
        try:
            running = self._process.is_running()
            return not running or self._process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
