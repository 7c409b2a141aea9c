"""What the documents promise of themselves: the README's length, their links, the files they name.

A link that is broken, or a path that moved, is found here and not by a reader.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_README_BYTES = 9_000
# Where a path in a text begins: beside it, in the project, or in the sidecar.
BASES = (ROOT, ROOT / "sidecar")
DOCUMENTS = sorted(
    path
    for folder in ("*.md", "docs/*.md", "packaging/**/*.md", "protocol/**/*.md")
    for path in ROOT.glob(folder)
    if "node_modules" not in path.parts
)
by_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= MAX_README_BYTES


@by_document
def test_links_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    files = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [file for file in files if not (path.parent / file).exists()] == []


@by_document
def test_files_that_are_named_are_there(path):
    named = re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|ts|ps1|sh|yml|md))`", path.read_text("utf-8"))
    missing = [
        name for name in named if not any((base / name).exists() for base in (path.parent, *BASES))
    ]
    assert missing == []
