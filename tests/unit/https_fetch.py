"""A small file, fetched from a ``WebServer``: what the tests of ``HttpsFile`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unit.web_server import WebServer, pinned

from sidecar.store.assets import AssetFile
from sidecar.store.https_file import HttpsFile

GOOD = b"12345"
FILE = pinned(GOOD)
PART = f"a.pt.{FILE.sha256[:16]}.part"


class StopAsked(Exception):
    """What a watcher raises who wants no more of the file."""


def go_on(_n_bytes: int) -> None:
    """Watch without a word."""


def get(
    server: WebServer,
    work: Path,
    *,
    file: AssetFile = FILE,
    watch: Callable[[int], None] = go_on,
    **options: Any,
) -> Path:
    """Fetch ``file`` into ``work``; ``options`` are those of ``HttpsFile``."""
    return HttpsFile(server.url, **options).fetch(file, work, watch)
