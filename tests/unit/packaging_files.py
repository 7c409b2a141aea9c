"""Where the scripts of ``packaging/`` lie, and empty files for them to find."""

from __future__ import annotations

from pathlib import Path

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
