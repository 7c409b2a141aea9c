from __future__ import annotations

import os
from pathlib import Path

import pytest
from unit.fake_source import FakeSource, asset_of, refusal, visible

from sidecar.store import shared_folder
from sidecar.store.assets import AssetFile, SourceFailed, Watch
from sidecar.store.weights import WeightStore


def leave(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / ".fetch" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")


def test_what_a_killed_process_left_is_removed_but_what_is_half_there(tmp_path):
    leave(tmp_path / "thing", "thing-1.0/half.whl", "a.pt", "a.pt.0123.part")
    gone = SourceFailed("gone")
    found = []
    source = FakeSource(gone, before=lambda _: found.extend(visible(tmp_path / "thing" / ".fetch")))
    refusal(WeightStore(tmp_path), asset_of(source))
    assert found == ["a.pt.0123.part"]
    assert visible(tmp_path) == [".fetch", "a.pt.0123.part", "thing"]
    WeightStore(tmp_path).ensure(asset_of(FakeSource()))
    assert visible(tmp_path) == ["a.pt", "thing"]


def test_a_source_that_fails_leaves_for_the_next_what_is_half_there(tmp_path):
    def leave_half(_watch: Watch) -> None:
        leave(tmp_path / "thing", "a.pt.part", "a.pt", "scratch/half.whl")

    failing = FakeSource(SourceFailed("gone"), before=leave_half)
    refusal(WeightStore(tmp_path), asset_of(failing))
    assert visible(tmp_path) == [".fetch", "a.pt.part", "thing"]


class PartSource(FakeSource):
    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        return super().fetch(file, work, watch).rename(work / f"{file.name}.part")


@pytest.mark.parametrize(("brought", "left"), [(b"weighty", []), (b"wei", ["a.pt.part"])])
def test_what_is_wrong_is_not_kept_for_the_next(tmp_path, brought, left):
    refusal(WeightStore(tmp_path), asset_of(PartSource(brought)))
    assert visible(tmp_path) == [*([".fetch"] if left else []), *left, "thing"]


def test_what_nobody_went_on_with_for_a_week_is_removed(tmp_path):
    leave(tmp_path / "fresh", "a.part")
    leave(tmp_path / "stale", "a.part")
    leave(tmp_path / "busy", "a.part")
    for name in ("stale", "busy"):
        for path in (tmp_path / name / ".fetch" / "a.part", tmp_path / name / ".fetch"):
            os.utime(path, (0, 0))
    with shared_folder.only_one(tmp_path / "busy", pytest.fail):
        WeightStore(tmp_path).ensure(asset_of(FakeSource()))
    assert sorted(path.parts[-3] for path in tmp_path.glob("*/.fetch/*")) == ["busy", "fresh"]
    WeightStore(tmp_path).ensure(asset_of())
    assert sorted(path.parts[-3] for path in tmp_path.glob("*/.fetch/*")) == ["fresh"]
