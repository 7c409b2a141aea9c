"""The tables of a gallery, and how an older file gets those of today."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

# SQLite's mark for whose file it is ("SSPG"): sqlite.org/pragma.html#pragma_application_id
APPLICATION_ID = 0x53535047

# What makes a file of version n one of version n + 1, statement by statement. Never change one that
# was released: add another.
Migration: TypeAlias = tuple[str, ...]

MIGRATIONS: tuple[Migration, ...] = (
    (
        # ``revision`` counts changes; ``removal`` is that of the last one that took prints away.
        # ``unswept``: deleted bytes may still be in the file or its WAL.
        """CREATE TABLE gallery (
            revision INTEGER NOT NULL, removal INTEGER NOT NULL, unswept INTEGER NOT NULL
        )""",
        "INSERT INTO gallery VALUES (0, 0, 0)",
        """CREATE TABLE person (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL
        )""",
        # ``total``: float32, little-endian, the sum of unit vectors, each times its seconds.
        """CREATE TABLE print (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
            fingerprint TEXT NOT NULL,
            speech_s REAL NOT NULL,
            audios INTEGER NOT NULL,
            adapted INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            total BLOB NOT NULL
        )""",
        "CREATE INDEX print_person ON print (person)",
        "CREATE INDEX print_revision ON print (revision)",
        "CREATE INDEX print_model ON print (fingerprint, speech_s)",
    ),
)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file to the newest version, whole or not at all; safe in two processes at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version, statements in enumerate(migrations):
            if version >= version_of(connection):
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """Of the schema; 0 where there is none yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether it is a gallery, or nothing yet."""
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(owner == APPLICATION_ID or (owner == 0 and tables == 0))
