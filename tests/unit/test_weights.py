from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from unit.fake_source import GOOD, GOOD_SHA256, FakeSource, asset_of, refusal, visible

from sidecar.store import shared_folder
from sidecar.store import weights as store_module
from sidecar.store.assets import SourceFailed, Watch
from sidecar.store.catalog import ASSETS, CONVERSATION_SAMPLE, MODELS, SEGMENTATION, SPEECH_DETECTOR
from sidecar.store.https_file import HttpsFile
from sidecar.store.weights import (
    MODELS_DIR_VARIABLE,
    FetchProgress,
    State,
    WeightStore,
    default_models_dir,
)


def test_fetches_what_is_missing_and_leaves_nothing_else(tmp_path):
    paths = WeightStore(tmp_path).ensure(asset_of(FakeSource(), names=("a.pt", "b.pt")))
    assert paths == {name: tmp_path / "thing" / name for name in ("a.pt", "b.pt")}
    assert {path.read_bytes() for path in paths.values()} == {GOOD}
    assert visible(tmp_path) == ["a.pt", "b.pt", "thing"]


def test_fetches_only_what_is_missing(tmp_path):
    source = FakeSource()
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "a.pt").write_bytes(GOOD)
    WeightStore(tmp_path).ensure(asset_of(source, names=("a.pt", "b.pt")))
    assert source.asked_for == ["b.pt"]


def test_good_files_need_no_lock_and_no_write(tmp_path, monkeypatch):
    WeightStore(tmp_path).ensure(asset_of(FakeSource()))

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(shared_folder, "FileLock", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert WeightStore(tmp_path, offline=True).ensure(asset_of())["a.pt"].read_bytes() == GOOD


@pytest.mark.parametrize(
    ("bad", "kind", "told"),
    [
        (b"another", "hash_mismatch", "it sent another file"),
        (GOOD + b"!", "hash_mismatch", "it sent another file"),
        (GOOD[:3], "download_failed", "it sent 3 of 7 bytes"),
        (b"", "download_failed", "it sent 0 of 7 bytes"),
        (SourceFailed("no answer within 8 s"), "download_failed", "no answer within 8 s"),
        (SourceFailed("needs 9 MB", "disk_full"), "disk_full", "needs 9 MB"),
        (OSError(errno.ENOSPC, "No space left"), "disk_full", "No space left"),
        (OSError(errno.EIO, "Input/output error"), "download_failed", "Input/output error"),
    ],
)
def test_a_bad_source_gives_way_to_the_next_and_nothing_of_it_is_placed(tmp_path, bad, kind, told):
    error = refusal(WeightStore(tmp_path), asset_of(FakeSource(bad, name="one")))
    assert error.kind == kind
    assert error.data()["retryable"] is (kind != "hash_mismatch")
    assert f"one: {told}" in error.message
    assert visible(tmp_path) == ["thing"]
    paths = WeightStore(tmp_path).ensure(asset_of(FakeSource(bad), FakeSource()))
    assert paths["a.pt"].read_bytes() == GOOD


def test_the_refusal_says_what_was_tried_and_what_to_do(tmp_path):
    sources = FakeSource(SourceFailed("gone"), "one"), FakeSource(b"another", "two")
    error = refusal(WeightStore(tmp_path), asset_of(*sources))
    path = tmp_path / "thing" / "a.pt"
    for part in (
        "one: gone; two: it sent another file",
        "7 bytes",
        GOOD_SHA256,
        str(path),
        "https://example.org/thing",
        f'speaker-sidecar models fetch thing --models-dir "{tmp_path}"',
    ):
        assert part in error.message
    assert "\n" not in error.message
    assert error.data() == {
        "kind": "hash_mismatch",
        "retryable": False,
        "path": str(path),
        "n_bytes": 7,
        "sha256": GOOD_SHA256,
    }


def test_offline_asks_no_source_and_creates_nothing(tmp_path):
    source = FakeSource()
    error = refusal(WeightStore(tmp_path / "models", offline=True), asset_of(source))
    assert error.kind == "offline"
    assert source.asked_for == []
    assert visible(tmp_path) == []


@pytest.mark.parametrize("bad", [b"weighty", b"", GOOD + b"!"])
def test_a_damaged_file_is_replaced_with_a_warning_and_refused_offline(tmp_path, caplog, bad):
    path = tmp_path / "thing" / "a.pt"
    path.parent.mkdir()
    path.write_bytes(bad)
    asset = asset_of(FakeSource())
    assert WeightStore(tmp_path).state(asset, asset.files[0]) is State.DAMAGED
    assert refusal(WeightStore(tmp_path, offline=True), asset).kind == "damaged"
    assert path.read_bytes() == bad
    WeightStore(tmp_path).ensure(asset)
    assert path.read_bytes() == GOOD
    assert f"{path} is damaged" in caplog.text


def test_a_damaged_file_stays_until_there_is_a_better_one(tmp_path):
    path = tmp_path / "thing" / "a.pt"
    path.parent.mkdir()
    path.write_bytes(b"weighty")
    refusal(WeightStore(tmp_path), asset_of(FakeSource(b"another")))
    assert path.read_bytes() == b"weighty"


def test_an_unreadable_place_is_named(tmp_path, monkeypatch):
    asset = asset_of(FakeSource())
    WeightStore(tmp_path).ensure(asset)

    def refuse(_path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(store_module, "sha256_of", refuse)
    error = refusal(WeightStore(tmp_path), asset)
    assert error.kind == "not_readable"
    assert str(tmp_path / "thing" / "a.pt") in error.message


def test_an_unwritable_folder_is_named(tmp_path):
    in_the_way = tmp_path / "models"
    in_the_way.write_text("a file")
    error = refusal(WeightStore(in_the_way), asset_of(FakeSource()))
    assert error.kind == "not_writable"
    assert str(in_the_way / "thing") in error.message
    assert MODELS_DIR_VARIABLE in error.message


def test_a_disk_that_fills_at_the_last_moment(tmp_path, monkeypatch):
    def fill(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill)
    assert refusal(WeightStore(tmp_path), asset_of(FakeSource())).kind == "disk_full"
    assert visible(tmp_path) == ["thing"]


@pytest.mark.parametrize("n_refusals", [2, 99])
def test_a_file_that_a_scanner_holds_is_placed_a_moment_later(tmp_path, monkeypatch, n_refusals):
    monkeypatch.setattr(shared_folder, "_PAUSE_S", 0)
    refusals = [PermissionError(errno.EACCES, "Access is denied")] * n_refusals
    replace = Path.replace

    def replace_if_allowed(self: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_if_allowed)
    if n_refusals == 2:
        assert WeightStore(tmp_path).ensure(asset_of(FakeSource()))["a.pt"].read_bytes() == GOOD
    else:
        assert refusal(WeightStore(tmp_path), asset_of(FakeSource())).kind == "not_writable"


def test_a_stop_ends_the_fetch_and_leaves_nothing(tmp_path):
    stop = threading.Event()

    def stop_midway(watch: Watch) -> None:
        watch(1)
        stop.set()
        watch(2)
        pytest.fail("the watch let it go on")

    store = WeightStore(tmp_path, should_stop=stop.is_set)
    second = FakeSource()
    assert refusal(store, asset_of(FakeSource(before=stop_midway), second)).kind == "stopped"
    assert second.asked_for == []
    assert visible(tmp_path) == ["thing"]


@pytest.mark.parametrize("there", [0, 3])
def test_progress_starts_with_what_is_there_ends_and_never_exceeds_its_total(
    tmp_path, monkeypatch, there
):
    monkeypatch.setattr(store_module, "_REPORT_INTERVAL_S", 0)
    seen: list[FetchProgress] = []
    source = FakeSource(before=lambda watch: [watch(n) for n in (there, 5, 9)])
    WeightStore(tmp_path, on_progress=seen.append).ensure(asset_of(source))
    told = [(one.done_bytes, one.total_bytes) for one in seen]
    assert told == [(there, 7), (5, 7), (9, 9), (7, 7)]
    assert {one.detail for one in seen} == {"a.pt from fake"}


def test_progress_comes_seldom(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_REPORT_INTERVAL_S", 3600)
    seen: list[FetchProgress] = []
    source = FakeSource(before=lambda watch: [watch(n) for n in range(1000)])
    WeightStore(tmp_path, on_progress=seen.append).ensure(asset_of(source))
    assert [one.done_bytes for one in seen] == [0, 7]


def test_one_fetches_while_the_other_waits(tmp_path):
    other_waits = threading.Event()
    first_fetches = threading.Event()

    def hold(_watch: Watch) -> None:
        first_fetches.set()
        assert other_waits.wait(30)

    def note(progress: FetchProgress) -> None:
        if progress.detail == "waiting for another process":
            other_waits.set()

    first = threading.Thread(
        target=WeightStore(tmp_path).ensure, args=[asset_of(FakeSource(before=hold))]
    )
    first.start()
    assert first_fetches.wait(30)
    never_asked = FakeSource()
    paths = WeightStore(tmp_path, on_progress=note).ensure(asset_of(never_asked))
    first.join()
    assert paths["a.pt"].read_bytes() == GOOD
    assert never_asked.asked_for == []


HOLD_THE_LOCK = """
import sys, threading, filelock
lock = filelock.FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
threading.Event().wait()
"""


def test_a_holder_that_dies_frees_the_lock_and_a_waiter_can_be_stopped(tmp_path):
    lock = tmp_path / "thing" / ".lock"
    lock.parent.mkdir()
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == b"held"
            seen: list[FetchProgress] = []
            stopped = WeightStore(tmp_path, on_progress=seen.append, should_stop=lambda: True)
            assert refusal(stopped, asset_of(FakeSource())).kind == "stopped"
            assert [one.detail for one in seen] == ["waiting for another process"]

            def kill(_progress: FetchProgress) -> None:
                holder.kill()

            WeightStore(tmp_path, on_progress=kill).ensure(asset_of(FakeSource()))
        finally:
            holder.kill()
    assert visible(tmp_path) == ["a.pt", "thing"]


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv(MODELS_DIR_VARIABLE, str(tmp_path))
    assert default_models_dir() == tmp_path
    monkeypatch.setenv(MODELS_DIR_VARIABLE, "")
    assert default_models_dir().parts[-2:] == ("speaker-sidecar", "models")


def test_the_catalog_is_well_formed():
    for asset_id, asset in ASSETS.items():
        assert asset_id == asset.id
        assert asset.licence in {"Apache-2.0", "MIT"}
        for file in asset.files:
            assert Path(file.name).name == file.name
            assert bytes.fromhex(file.sha256) == bytes.fromhex(file.sha256.lower())
            assert len(file.sha256) == 64
            assert file.sources
            for source in file.sources:
                assert not isinstance(source, HttpsFile) or source.url.startswith("https://")
    assert {*MODELS, SPEECH_DETECTOR.id, SEGMENTATION.id, CONVERSATION_SAMPLE.id} == set(ASSETS)
    assert MODELS["campplus-zh-en"].n_bytes == 28_044_640
