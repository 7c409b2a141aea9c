"""What a pinned file is, and what all of its sources have in common."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

# Called with the bytes moved so far, several times a second; raises when the fetch has to end.
Watch: TypeAlias = Callable[[int], None]

# How often a source looks at its transfer and calls its watch.
POLL_S = 0.1


class SourceFailed(Exception):
    """One source did not give a file; the next one may.

    Args:
        reason: what happened, for people: a phrase to follow "source: ".
        kind: the ``ModelUnavailable`` kind it counts as where every source failed.
    """

    def __init__(self, reason: str, kind: str = "download_failed") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class Source(Protocol):
    """One way to get a file. It need not be trusted: the store checks what it brings."""

    @property
    def name(self) -> str:
        """The source, for people."""

    def transfer_bytes(self, file: AssetFile) -> int:
        """How much has to be moved for ``file``: the total of its progress."""

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """Bring ``file`` to somewhere in the folder ``work``, and give its path.

        Raises:
            SourceFailed: it could not.
            OSError: the same, for a reason that the system gave.
            Exception: what ``watch`` raised, within 0.2 s, with every transfer ended.
        """


@dataclass(frozen=True, slots=True)
class AssetFile:
    """One file, the same for ever, and where it can be had, the best place first.

    ``is_size_exact``: whether ``n_bytes`` is exact, or only about right; the hash always decides.
    """

    name: str
    n_bytes: int
    sha256: str
    sources: tuple[Source, ...]
    is_size_exact: bool = True


@dataclass(frozen=True, slots=True)
class Asset:
    """Files that belong together: a model's weights, or a sample. ``licence`` is an SPDX id."""

    id: str
    title: str
    licence: str
    homepage: str
    files: tuple[AssetFile, ...]

    @property
    def n_bytes(self) -> int:
        """The size of all files."""
        return sum(file.n_bytes for file in self.files)


class Patience:
    """How long a source waits for bytes: for the first one, and then for each next one."""

    def __init__(self, answer_limit_s: float, stall_limit_s: float) -> None:
        self._answer_limit_s = answer_limit_s
        self._stall_limit_s = stall_limit_s
        self._n_bytes = 0
        self._moved_at_s = time.monotonic()

    def check(self, n_bytes: int) -> None:
        """Raise SourceFailed when the count has stood still for too long."""
        now_s = time.monotonic()
        if n_bytes != self._n_bytes:
            self._n_bytes = n_bytes
            self._moved_at_s = now_s
        elif n_bytes == 0 and now_s - self._moved_at_s > self._answer_limit_s:
            raise SourceFailed(f"no answer within {self._answer_limit_s:g} s")
        elif n_bytes and now_s - self._moved_at_s > self._stall_limit_s:
            raise SourceFailed(f"stalled after {n_bytes:,} bytes for {self._stall_limit_s:g} s")


def require_room(folder: Path, n_bytes: int) -> None:
    """Raise SourceFailed when the disk of ``folder`` has less than ``n_bytes`` free."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < n_bytes:
        needed = f"needs {n_bytes / 1e6:.0f} MB of free disk, {free_bytes / 1e6:.0f} MB are there"
        raise SourceFailed(needed, "disk_full")


def is_disk_full(error: OSError) -> bool:
    """Whether the system says that no room is left."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def largest_file_bytes(folder: Path) -> int:
    """The largest file's size in ``folder`` and below: how far a transfer is, from outside."""
    largest = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # moved away since it was listed
                largest = max(largest, (Path(parent) / name).stat().st_size)
    return largest
