"""What a pinned file is: its name, size, SHA-256 and the sources that carry it. No I/O here."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

# Called with the bytes moved so far, several times a second; raises when the fetch has to end.
Watch: TypeAlias = Callable[[int], None]


class SourceFailed(Exception):  # noqa: N818 - as in protocol.errors, the name says what happened
    """One source did not give a file; the next one may.

    Args:
        reason: what happened, for people: a phrase to follow "source: ".
        kind: the ``ModelUnavailable`` kind it counts as where every source failed.
    """

    def __init__(self, reason: str, kind: str = "download_failed") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


def is_disk_full(error: OSError) -> bool:
    """Whether the system says that no room is left."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


class Source(Protocol):
    """One way to get a file. It need not be trusted: the store checks what it brings."""

    @property
    def name(self) -> str:
        """The source, for people."""

    def transfer_bytes(self, file: PinnedFile) -> int:
        """How much has to be moved for ``file``: the total of its progress."""

    def fetch(self, file: PinnedFile, work: Path, watch: Watch) -> Path:
        """Bring ``file`` to somewhere in the folder ``work``, and give its path.

        Raises:
            SourceFailed: it could not.
            OSError: the same, for a reason that the system gave.
            Exception: what ``watch`` raised, within 0.2 s, with every transfer ended.
        """


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file, the same for ever, and where it can be had, the best place first."""

    name: str
    n_bytes: int
    sha256: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Asset:
    """Files that belong together: a model's weights, or a sample. ``licence`` is an SPDX id."""

    id: str
    title: str
    licence: str
    homepage: str
    files: tuple[PinnedFile, ...]

    @property
    def n_bytes(self) -> int:
        """The size of all files."""
        return sum(file.n_bytes for file in self.files)
