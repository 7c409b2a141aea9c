"""Where the segmentation network is looked for, and when it is converted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.config import Config
from sidecar.diarization import opening
from sidecar.engine import export_process, segmentation
from sidecar.engine.export_process import ConversionFailed
from sidecar.engine.loading import converted_root
from sidecar.store import carried, converted_files

ORIGIN = segmentation.converted_origin(segmentation.fingerprint())


def place(models_dir):
    root = converted_root(models_dir)
    with converted_files.making(root, on_wait=lambda: None) as work:
        for name in ORIGIN.files:
            (work / name).write_bytes(b"made")
        return converted_files.place(work, root, ORIGIN)


@pytest.fixture
def world(monkeypatch):
    """What was fetched and converted; the loaded network is what it was loaded from."""
    told = SimpleNamespace(fetched=[], converted=[], failure=None)

    def find_carried(asset, *_):
        told.fetched.append(asset.id)

    def convert_apart(model, runtime, models_dir, on_progress, should_stop):
        told.converted.append((model, runtime))
        on_progress(Progress("convert", 1, 3, "steps"))
        if told.failure is not None:
            raise told.failure
        place(models_dir)

    monkeypatch.setattr(carried, "find_carried", find_carried)
    monkeypatch.setattr(export_process, "convert_apart", convert_apart)
    monkeypatch.setattr(segmentation, "Segmenter", lambda converted: converted.folder)
    monkeypatch.setattr(opening, "bundle_models_dir", lambda: None)
    return told


def open_in(models_dir, told=()):
    told = list(told)
    opened = opening.from_store(Config(models_dir=models_dir))(
        lambda: told.append("fetching"), lambda: False, lambda p: told.append(p.phase)
    )
    return opened, told


def test_what_lies_converted_is_taken(world, tmp_path):
    made = place(tmp_path)
    assert open_in(tmp_path) == (made.folder, [])
    assert world.fetched == world.converted == []


def test_else_it_is_fetched_and_converted_and_that_is_told_first(world, tmp_path):
    opened, told = open_in(tmp_path)
    assert opened == converted_root(tmp_path) / ORIGIN.folder_name
    assert told == ["fetching", "convert"]
    assert world.fetched == ["segmentation"]
    assert world.converted == [("segmentation", "onnxruntime")]
    assert open_in(tmp_path) == (opened, [])


def test_what_is_damaged_is_made_again(world, tmp_path):
    made = place(tmp_path)
    made.network.write_bytes(b"damaged")
    assert open_in(tmp_path)[1] == ["fetching", "convert"]


def test_a_failed_conversion_is_told(world, tmp_path):
    world.failure = ConversionFailed("torch is not there")
    with pytest.raises(ModelUnavailable, match="could not be converted: torch is not there"):
        open_in(tmp_path)


def test_a_bundle_has_it_or_is_damaged(world, monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "bundle_models_dir", lambda: tmp_path / "bundle")
    with pytest.raises(ModelUnavailable, match="install the program anew") as caught:
        open_in(tmp_path / "own")
    assert caught.value.kind == "damaged"
    assert world.converted == []
    made = place(tmp_path / "bundle")
    assert open_in(tmp_path / "own") == (made.folder, [])
