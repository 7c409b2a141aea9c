"""The file of a gallery: opened for its owner alone, written whole or not at all, and swept.

SQLite, with a write-ahead log. What was committed survives a kill, and a power cut too, as far as
the disk tells the truth (``synchronous=FULL``). Several processes may have one file open.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from protocol.errors import GalleryUnavailable
from sidecar.long_path import of_any_length
from sidecar.people.network_share import is_on_network
from sidecar.people.schema import MIGRATIONS, is_ours, migrate, version_of

BUSY_S = 5.0
_RETRY_S = 0.01
_OWNER_ONLY = 0o600
# What SQLite says of an error: Python 3.10 passes on no code. Each with the kind, and what to do.
_FAULTS: tuple[tuple[str, str, str], ...] = (
    ("locked", "gallery_locked", "another program is writing to it: try again, or end that one"),
    ("locking protocol", "gallery_locked", "another program has it open: try again"),
    ("full", "disk_full", "the disk is full: make room, and try again"),
    ("readonly", "not_writable", "it cannot be written: check its permissions and its folder's"),
    ("unable to open", "not_writable", "it, or its folder, is not there or cannot be written"),
    ("not a database", "gallery_unavailable", "it is no gallery: give another name"),
    ("malformed", "gallery_damaged", "it is damaged: move it away, and import your last export"),
    ("decode to utf-8", "gallery_damaged", "it is damaged: move it away, and import an export"),
)


class GalleryFile:
    """An open gallery, on disk or in memory (``file`` is None). For one thread at a time.

    Raises:
        GalleryUnavailable: here and in each method, where the file is none, is damaged, or newer
            than this version, or where it cannot be read or written.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        with self._faults_told():
            self.connection = _connect(file)
        try:
            with self._faults_told():
                self._prepare()
            self.sweep_if_wanted()
        except BaseException:
            self.connection.close()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """What is read inside is of one moment."""
        with self._faults_told():
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self._roll_back()

    @contextlib.contextmanager
    def writing(self) -> Iterator[int]:
        """What is written inside is kept as a whole, or not at all; gives its revision.

        Nobody else writes between what is read inside and what is written.
        """
        with self._faults_told():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self.connection.execute("UPDATE gallery SET revision = revision + 1")
                (revision,) = self.connection.execute("SELECT revision FROM gallery").fetchone()
                yield int(revision)
                self.connection.execute("COMMIT")
            finally:
                self._roll_back()

    def sweep(self) -> None:
        """See that no deleted byte remains.

        ``secure_delete`` overwrites what is deleted, but SQLite may have moved it within a page
        before, and a copy of the page may be in the WAL. So the file is written anew from what is
        in it, and the WAL is emptied.
        """
        with self._faults_told():
            self.connection.execute("VACUUM")
            (is_busy, _, _) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise GalleryUnavailable(
                    f"{self}: what was deleted is gone from it, but another program reads it, and "
                    "keeps old pages in its log: end that one, and open this one anew",
                    kind="gallery_locked",
                )
            self.connection.execute("UPDATE gallery SET unswept = 0")

    def sweep_if_wanted(self) -> None:
        """Sweep where that is still to be done, unless another process has the file."""
        with self.reading():
            (unswept,) = self.connection.execute("SELECT unswept FROM gallery").fetchone()
        if unswept:
            try:
                self.sweep()
            except GalleryUnavailable as error:
                if error.kind != "gallery_locked":
                    raise

    def close(self) -> None:
        """Close it."""
        try:
            self.sweep_if_wanted()
        finally:
            self.connection.close()

    def __str__(self) -> str:
        return "the gallery in memory" if self._file is None else f"the gallery {self._file}"

    def damaged(self, what: str) -> GalleryUnavailable:
        """The error for a file that holds what cannot be."""
        return GalleryUnavailable(
            f"{self} is damaged ({what}): move it away, and import your last export",
            kind="gallery_damaged",
        )

    def _prepare(self) -> None:
        execute = self.connection.execute
        with self.reading():  # another process may be making it
            ours, version = is_ours(self.connection), version_of(self.connection)
        if not ours:
            raise GalleryUnavailable(
                f"{self}: that file is another program's database: give another name"
            )
        newest = len(MIGRATIONS)
        if version > newest:
            raise GalleryUnavailable(
                f"{self} has the format {version}, and this version knows {newest}: it was written "
                "by a newer one, which must be used",
                kind="gallery_newer",
            )
        (found,) = execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise self.damaged(found.replace("\n", " "))
        execute("PRAGMA temp_store = MEMORY")  # VACUUM's copy must not come into another file
        execute("PRAGMA secure_delete = ON")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA foreign_keys = ON")
        if self._file is not None:
            _close_to_others(of_any_length(str(self._file)))
            self._choose_journal(self._file)
        if version < newest:
            migrate(self.connection)

    def _choose_journal(self, file: Path) -> None:
        if is_on_network(file) or not self._is_given_a_wal():
            self.connection.execute("PRAGMA journal_mode = TRUNCATE")

    def _is_given_a_wal(self) -> bool:
        give_up_at = time.perf_counter() + BUSY_S
        # For this SQLite itself does not wait, though others may be at the same.
        while (mode := self._ask_for_wal(give_up_at)) is None:
            time.sleep(_RETRY_S)
        return mode == "wal"

    def _ask_for_wal(self, give_up_at: float) -> str | None:
        """The mode that it has then; None: another has the file at this moment."""
        try:
            (mode,) = self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.perf_counter() >= give_up_at:
                raise
            return None
        return str(mode)

    def _roll_back(self) -> None:
        """Where nothing was committed."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            said = str(error).lower()
            for words, kind, advice in _FAULTS:
                if words in said:
                    raise GalleryUnavailable(f"{self}: {advice}", kind=kind) from error
            raise GalleryUnavailable(f"{self} cannot be used: {error}") from error
        except OSError as error:
            raise GalleryUnavailable(
                f"{self} cannot be opened for its owner alone: {error.strerror}",
                kind="not_writable",
            ) from error


def _connect(file: Path | None) -> sqlite3.Connection:
    # No transactions but those that are begun here. Its threads see to it that they take turns.
    if file is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    path = of_any_length(str(file))
    if sys.platform != "win32":  # there a file has the permissions of its folder: the user's own
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
    return sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)


def _close_to_others(path: str) -> None:
    """See that only its owner may read a gallery that was there; what SQLite makes is made alike.

    Raises:
        OSError: it is another user's.
    """
    if sys.platform == "win32":
        return
    for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        beside = Path(name)
        with contextlib.suppress(FileNotFoundError):
            if beside.stat().st_mode & 0o077:
                beside.chmod(_OWNER_ONLY)
