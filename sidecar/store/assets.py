"""What a pinned file is, and what all of its sources have in common."""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

# Called with the bytes that are there, several times a second; raises when the fetch has to end.
Watch: TypeAlias = Callable[[int], None]

# How often a source looks at its transfer and calls its watch.
POLL_S = 0.1
# How the name ends of a file that is half there: the next fetch finds it again.
PART_SUFFIX = ".part"

_HASH_CHUNK_BYTES = 1 << 20


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


class Interrupted(SourceFailed):
    """The source failed in a way that may pass: a moment later it may give the file.

    Args:
        reason: see ``SourceFailed``.
        retry_after_s: how long it asks to be left alone, if it does.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Source(Protocol):
    """One way to get a file. It need not be trusted: the store checks what it brings."""

    @property
    def name(self) -> str:
        """The source, for people."""

    def transfer_bytes(self, file: AssetFile) -> int:
        """How much has to be moved for ``file``: the total of its progress."""

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """Bring ``file`` to somewhere in the folder ``work``, and give its path.

        Nobody else uses ``work`` meanwhile. Whatever fails, files directly in it whose names end in
        ``PART_SUFFIX`` are kept for the next fetch, which may be another process's.

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

    @property
    def max_bytes(self) -> int:
        """The most that is fetched: one byte too many tells enough, however long it goes on."""
        return self.n_bytes + 1 if self.is_size_exact else 2 * self.n_bytes


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
        self._moved_at_s = time.perf_counter()

    def check(self, n_bytes: int) -> None:
        """Raise when the count has stood still for too long.

        Raises:
            SourceFailed: no byte has come.
            Interrupted: none came after the first ones.
        """
        now_s = time.perf_counter()
        if n_bytes != self._n_bytes:
            self._n_bytes = n_bytes
            self._moved_at_s = now_s
        elif n_bytes == 0 and now_s - self._moved_at_s > self._answer_limit_s:
            raise SourceFailed(f"no answer within {self._answer_limit_s:g} s")
        elif n_bytes and now_s - self._moved_at_s > self._stall_limit_s:
            raise Interrupted(f"stalled after {n_bytes:,} bytes for {self._stall_limit_s:g} s")


def require_room(folder: Path, n_bytes: int) -> None:
    """Raise SourceFailed when the disk of ``folder`` has less than ``n_bytes`` free."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < n_bytes:
        needed = f"needs {n_bytes / 1e6:.0f} MB of free disk, {free_bytes / 1e6:.0f} MB are there"
        raise SourceFailed(needed, "disk_full")


def is_disk_full(error: OSError) -> bool:
    """Whether the system says that no room is left."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
