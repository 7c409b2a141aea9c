"""A gallery that another process writes to."""

from __future__ import annotations

import contextlib
import sqlite3


@contextlib.contextmanager
def locked(file):
    """Another program writes to it, and goes on and on."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
