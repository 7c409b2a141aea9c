"""Where the detector's file is looked for, and when it is fetched."""

from __future__ import annotations

import hashlib
import sys
from types import SimpleNamespace

import pytest

from protocol.errors import ModelUnavailable
from sidecar.config import Config
from sidecar.speech.opening import from_store
from sidecar.store import catalog
from sidecar.store.assets import Asset, AssetFile

NETWORK = b"a network"


class Source:
    name = "somewhere"

    def transfer_bytes(self, file):
        return file.n_bytes

    def fetch(self, file, work, watch):
        watch(0)
        (work / file.name).write_bytes(NETWORK)
        return work / file.name


@pytest.fixture
def detector(monkeypatch):
    """A small file takes the network's place, and its path that of the loaded detector."""
    file = AssetFile("ear.onnx", len(NETWORK), hashlib.sha256(NETWORK).hexdigest(), (Source(),))
    asset = Asset("ear", "An ear", "MIT", "https://example.org", (file,))
    monkeypatch.setattr(catalog, "SPEECH_DETECTOR", asset)
    module = SimpleNamespace(SpeechDetector=lambda network: network)
    monkeypatch.setitem(sys.modules, "sidecar.speech.detector", module)
    return asset


def open_in(models_dir, *, offline=False, should_stop=lambda: False):
    """What is opened, and what was told meanwhile."""
    told = []
    opened = from_store(Config(models_dir=models_dir, offline=offline))(
        lambda: told.append("fetching"), should_stop, lambda progress: told.append(progress.phase)
    )
    return opened, told


def install(models_dir, content=NETWORK):
    path = models_dir / "ear" / "ear.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("offline", [False, True])
def test_what_is_there_is_taken(detector, tmp_path, offline):
    path = install(tmp_path)
    assert open_in(tmp_path, offline=offline) == (path, [])


@pytest.mark.parametrize("damaged", [False, True])
def test_what_is_not_there_is_fetched_and_that_is_told_first(detector, tmp_path, damaged):
    if damaged:
        install(tmp_path, b"not it...")
    path, told = open_in(tmp_path)
    assert path.read_bytes() == NETWORK
    assert told[0] == "fetching"
    assert set(told[1:]) == {"download"}


def test_offline_nothing_is_fetched(detector, tmp_path):
    with pytest.raises(ModelUnavailable, match="offline it is not fetched") as caught:
        open_in(tmp_path, offline=True)
    assert caught.value.kind == "offline"
    assert not (tmp_path / "ear").exists()


def test_a_fetch_that_is_stopped_says_so(detector, tmp_path):
    with pytest.raises(ModelUnavailable) as caught:
        open_in(tmp_path, should_stop=lambda: True)
    assert caught.value.kind == "stopped"


def test_a_bundle_has_it_or_the_folder_that_takes_its_models_place(detector, monkeypatch, tmp_path):
    monkeypatch.setattr("sidecar.store.carried.bundle_models_dir", lambda: tmp_path / "bundle")
    for models_dir in (None, tmp_path / "other"):
        with pytest.raises(ModelUnavailable, match="install the program anew") as caught:
            open_in(models_dir)
        assert caught.value.kind == "damaged"
    bundled = install(tmp_path / "bundle")
    assert open_in(None) == open_in(tmp_path / "other") == (bundled, [])
    other = install(tmp_path / "other")
    assert open_in(tmp_path / "other") == (other, [])


def test_what_cannot_be_loaded_is_unavailable(tmp_path):
    pytest.importorskip("onnxruntime")
    from sidecar.speech.detector import SpeechDetector

    path = tmp_path / "ear.onnx"
    path.write_bytes(NETWORK)
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        SpeechDetector(path)
