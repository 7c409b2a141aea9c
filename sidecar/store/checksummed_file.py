"""Small files that may be missing: what is in them can be made again, and their hash is checked."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

_DIGEST_BYTES = 32


def read_checksummed(path: Path) -> bytes | None:
    """What was kept at ``path``; None where nothing is, or it cannot be read, or was damaged."""
    with contextlib.suppress(OSError):
        kept = path.read_bytes()
        digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        if content and hashlib.sha256(content).digest() == digest:
            return content
    return None


def write_checksummed(path: Path, content: bytes) -> None:
    """Keep ``content`` at ``path``, whole or not at all; where nothing can be written, not at all.

    Safe in several processes at once.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(hashlib.sha256(content).digest() + content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
