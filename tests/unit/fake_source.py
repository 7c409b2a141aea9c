"""A source that brings what a test says, and assets whose files come from such sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from protocol.errors import ModelUnavailable
from sidecar.store.assets import Asset, AssetFile, Source, Watch
from sidecar.store.weights import WeightStore

GOOD = b"weights"
GOOD_SHA256 = hashlib.sha256(GOOD).hexdigest()


@dataclass
class FakeSource:
    brings: bytes | Exception = GOOD
    name: str = "fake"
    before: Callable[[Watch], None] = lambda _watch: None
    asked_for: list[str] = field(default_factory=list)

    def transfer_bytes(self, file: AssetFile) -> int:
        return file.n_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        self.asked_for.append(file.name)
        self.before(watch)
        if isinstance(self.brings, Exception):
            raise self.brings
        (work / file.name).write_bytes(self.brings)
        return work / file.name


def asset_of(*sources: Source, names: tuple[str, ...] = ("a.pt",)) -> Asset:
    files = tuple(AssetFile(name, len(GOOD), GOOD_SHA256, sources) for name in names)
    return Asset("thing", "A thing", "MIT", "https://example.org/thing", files)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name != ".lock")


def refusal(store: WeightStore, asset: Asset) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as caught:
        store.ensure(asset)
    return caught.value
