"""What comes into a bundle: its models, its manifest, and nothing of a build that failed."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
from unit.packaging_files import touch

from sidecar.engine import segmentation
from sidecar.engine.loading import converted_root
from sidecar.store import converted_files
from sidecar.store.catalog import SPEECH_DETECTOR
from sidecar.store.converted_files import NETWORK
from sidecar.store.prebuilt import read_folder

# ---- The models ----
from sidecar.store.weights import State, WeightStore


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (["campplus-zh-en", "campplus-zh-en"], "would both be campplus-zh-en"),
        (["{}/a/mine", "{}/b/mine"], "would both be mine"),
        (["{}/a/mine", "{}/c/Mine"], "would both be Mine"),
        (["{}/a/campplus-zh-en"], "give the id itself, or rename the folder"),
    ],
    ids=["an id twice", "two folders of one name", "but for the case", "a folder named like an id"],
)
def test_models_that_could_not_be_told_apart_end_the_build(load_script, tmp_path, models, told):
    touch(tmp_path, "a/mine/x", "b/mine/x", "c/Mine/x", "a/campplus-zh-en/x")
    load_script("models_folder").require_distinct([f"{tmp_path}/a/mine", "ecapa-voxceleb"])
    with pytest.raises(load_script("build_failed").BuildFailed, match=told):
        load_script("models_folder").require_distinct([model.format(tmp_path) for model in models])


@pytest.mark.parametrize("with_weights", [False, True])
def test_the_models_are_laid_out_as_they_are_looked_for(
    load_script, prepared, tmp_path, with_weights
):
    models = [prepared("one", b"w"), prepared("other", b"v"), prepared("twin", b"w")]
    folder = tmp_path / "bundle" / "models"
    load_script("models_folder").fill(folder, models, with_weights=with_weights)
    found = read_folder(folder)
    assert [model.id for model in found.models] == ["one", "other", "twin"]
    for model, made in zip(found.models, models, strict=True):
        assert model.weights_sha256 == made.installed.weights_sha256
        assert (folder / model.weights).exists() == with_weights
        assert (folder / ".converted" / made.converted.folder.name / NETWORK).is_file()


def test_what_hears_speech_comes_along(load_script, monkeypatch, tmp_path):
    models_folder = load_script("models_folder")
    kept = tmp_path / "kept" / SPEECH_DETECTOR.id / SPEECH_DETECTOR.files[0].name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"network")
    monkeypatch.setattr(models_folder.WeightStore, "state", lambda *_: State.INSTALLED)
    (tmp_path / "bundle").mkdir()
    models_folder.ship_detector(tmp_path / "bundle", tmp_path / "kept")
    store = WeightStore(tmp_path / "bundle")
    shipped = store.path(SPEECH_DETECTOR, SPEECH_DETECTOR.files[0])
    assert shipped.read_bytes() == b"network"


def test_what_tells_turns_comes_along_converted(load_script, monkeypatch, tmp_path):
    """Its conversion takes torch, and is a fake's here."""
    models_folder = load_script("models_folder")
    origin = segmentation.converted_origin(segmentation.fingerprint())

    def convert(weights, root, made_of, on_progress):
        assert (weights, made_of) == (tmp_path / "weights.pt", origin)
        with converted_files.making(root, on_wait=lambda: None) as work:
            for name in origin.files:
                (work / name).write_bytes(b"made")
            return converted_files.place(work, root, origin)

    conversion = SimpleNamespace(convert=convert)
    monkeypatch.setitem(sys.modules, "sidecar.engine.segmentation_conversion", conversion)
    weights = {"any": tmp_path / "weights.pt"}
    monkeypatch.setattr(models_folder.WeightStore, "ensure", lambda *_: weights)
    bundle = tmp_path / "bundle"
    models_folder.ship_segmenter(bundle, None, tmp_path / "work")
    assert converted_files.find(converted_root(bundle), origin, is_own=False)


# ---- The manifest ----


def test_the_manifest_has_every_file_and_link(load_script, prepared, tmp_path):
    bundle = tmp_path / "bundle"
    model = prepared("mine", b"w")
    load_script("models_folder").fill(bundle / "models", [model], with_weights=False)
    (bundle / "speaker-sidecar").write_bytes(b"program")
    links = {}
    if sys.platform != "win32":  # they need a privilege there
        (bundle / "libtbb.so.12").symlink_to("models/models.json")
        links = {"libtbb.so.12": "models/models.json"}
    load_script("manifest").write_manifest(bundle, "cpu", [model], {"soxr": "1", "numpy": "2"})
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    files = {file["path"]: file for file in manifest["files"]}
    assert files["speaker-sidecar"] == {
        "path": "speaker-sidecar",
        "n_bytes": 7,
        "sha256": hashlib.sha256(b"program").hexdigest(),
    }
    assert "models/models.json" in files
    assert not files.keys() & {"manifest.json", *links}
    assert {link["path"]: link["target"] for link in manifest["links"]} == links
    assert manifest["n_bytes"] == sum(file["n_bytes"] for file in files.values())
    assert list(manifest["packages"]) == ["numpy", "soxr"]
    [told] = manifest["models"]
    assert (told["id"], told["fingerprint"], told["has_weights"]) == ("mine", "ecapa.w", False)
    # It says nothing of where the folder lies on the machine that it was built on.
    assert told["title"] == "ECAPA-TDNN mine"


# ---- The end of a build ----


def test_what_failed_is_not_left_as_a_bundle(load_script, tmp_path, capsys):
    bundle = tmp_path / "speaker-sidecar-cpu"
    aside = tmp_path / "speaker-sidecar-cpu-failed"
    touch(bundle, "former")
    for name in ("program", "another"):
        with suppress(KeyboardInterrupt), load_script("build")._whole_or_aside(bundle):
            assert not bundle.exists()
            touch(bundle, name)
            raise KeyboardInterrupt
        assert not bundle.exists()
        assert [path.name for path in aside.iterdir()] == [name]
        assert str(aside) in capsys.readouterr().err
    with load_script("build")._whole_or_aside(bundle):
        touch(bundle, "program")
    assert (bundle / "program").exists()
    assert not aside.exists()
