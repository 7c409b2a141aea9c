"""A folder that several processes may fill: one at a time, and each thing moved there whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

_LOCK = ".lock"
_LOCK_POLL_S = 0.2
_ATTEMPTS = 20
_PAUSE_S = 0.1

_T = TypeVar("_T")


@contextmanager
def only_one(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of ``folder``; while another holds it, ``on_wait`` is called, and may raise.

    The system frees the lock of a process that dies.

    Raises:
        OSError: ``folder`` cannot be written in.
    """
    lock = FileLock(folder / _LOCK)
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            on_wait()
            time.sleep(_LOCK_POLL_S)
    try:
        yield
    finally:
        lock.release()


def sync(file: Path) -> None:
    """See that what was written to ``file`` is on the disk; raises ``OSError``."""

    def sync_now() -> None:
        with file.open("rb+") as written:
            os.fsync(written.fileno())

    patiently(sync_now)


def move(path: Path, target: Path) -> None:
    """Move a file or a folder; only a file takes another's place. Raises ``OSError``."""
    patiently(lambda: path.replace(target))


def patiently(act: Callable[[], _T]) -> _T:
    """What ``act`` gives; where it is refused, it is tried again for two seconds.

    On Windows a virus scanner holds a new file open for a moment.
    """
    for _attempt in range(_ATTEMPTS):
        with suppress(PermissionError):
            return act()
        time.sleep(_PAUSE_S)
    return act()
