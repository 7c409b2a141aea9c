from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict

import pytest

from protocol.errors import ModelUnavailable
from sidecar.serve_options import parse_serve_options
from sidecar.store import installed, prebuilt, weights
from sidecar.store.catalog import MODELS
from sidecar.store.installed import find_card, find_prebuilt, require_servable
from sidecar.store.prebuilt import PrebuiltFolder, PrebuiltModel, write_index
from sidecar.tools import doctor

WEIGHTS = b"weights"


def shipped_model(model_id, sha256=None):
    return PrebuiltModel(
        id=model_id,
        title=f"the model {model_id}",
        licence="Apache-2.0",
        homepage="",
        network="ecapa",
        weights=f"{model_id}/embedding_model.ckpt",
        weights_sha256=sha256 or hashlib.sha256(WEIGHTS).hexdigest(),
    )


def write(folder, *models):
    folder.mkdir(parents=True, exist_ok=True)
    write_index(PrebuiltFolder(folder, models))
    return folder


@pytest.fixture
def program(monkeypatch, tmp_path):
    """A frozen program, which has the models ``mine`` and ``other``; the folder that it lies in."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bundle" / "speaker-sidecar"))
    write(tmp_path / "bundle" / "models", shipped_model("mine"), shipped_model("other"))
    return tmp_path / "bundle"


def test_a_bundle_serves_what_it_carries_the_first_by_default(program):
    assert prebuilt.default_model() == "mine"
    card = find_card("mine")
    assert (card.id, card.title, card.network) == ("mine", "the model mine", "ecapa")
    found = find_prebuilt("mine", card, None)
    assert found.prebuilt_in == found.source == program / "models"
    assert found.weights == program / "models" / "mine" / "embedding_model.ckpt"
    assert found.weights_sha256 == hashlib.sha256(WEIGHTS).hexdigest()


def test_without_a_bundle_nothing_is_shipped():
    assert prebuilt.default_model() == "ecapa-voxceleb"
    assert prebuilt.folders(None) == ()
    assert find_prebuilt("ecapa-voxceleb", MODELS["ecapa-voxceleb"], None) is None


@pytest.mark.usefixtures("program")
def test_a_models_dir_with_an_index_comes_before_the_bundle(tmp_path):
    newer = write(tmp_path / "newer", shipped_model("mine", "0" * 64))
    found = find_prebuilt("mine", find_card("mine", newer), newer)
    assert (found.prebuilt_in, found.weights_sha256) == (newer, "0" * 64)
    assert find_prebuilt("other", find_card("other", newer), newer).prebuilt_in != newer


def test_without_an_index_nothing_is_shipped(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        assert prebuilt.folders(folder) == ()


WEIGHTS_OF_NO_NAME = json.dumps({"models": [asdict(shipped_model("mine")) | {"weights": None}]})
DAMAGED = {
    "empty": b"",
    "no object": b"[]",
    "no models": b"{}",
    "no list": b'{"models": 3}',
    "a model without fields": b'{"models": [{}]}',
    "a model that is a list": b'{"models": [[]]}',
    "weights of no name": WEIGHTS_OF_NO_NAME.encode(),
    "not UTF-8": b'{"models": "\xff"}',
    "too deep": b"[" * 200_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_an_index_that_is_damaged_is_told_of(tmp_path, content):
    (tmp_path / prebuilt.INDEX).write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"models\.json is damaged") as caught:
        prebuilt.folders(tmp_path)
    assert caught.value.kind == "damaged"
    assert caught.value.details == {"path": str(tmp_path / prebuilt.INDEX)}


def test_an_index_that_cannot_be_read_is_told_of(tmp_path):
    (tmp_path / prebuilt.INDEX).mkdir()
    with pytest.raises(ModelUnavailable, match=r"models\.json cannot be read") as caught:
        prebuilt.folders(tmp_path)
    assert caught.value.kind == "not_readable"


def test_no_other_model_serves_where_an_index_is_damaged(program, tmp_path):
    newer = write(tmp_path / "newer", shipped_model("mine", "0" * 64))
    (newer / prebuilt.INDEX).write_text("{")
    with pytest.raises(ModelUnavailable, match=r"newer.*is damaged"):
        find_card("mine", newer)
    (program / "models" / prebuilt.INDEX).write_text("{")
    # Options are read before there is anyone to tell; the default is what the catalog has.
    model = parse_serve_options([]).model
    with pytest.raises(ModelUnavailable, match=r"bundle.*is damaged"):
        find_prebuilt(model, find_card(model), None)


def test_doctor_tells_of_a_damaged_index(program):
    (program / "models" / prebuilt.INDEX).write_text("{")
    report = doctor.examine(None, None)
    assert "models.json is damaged" in report["fault"]
    assert "devices" not in report


def test_the_default_is_the_first_of_models_dir(program, tmp_path):
    newer = write(tmp_path / "newer", shipped_model("newest"), shipped_model("mine"))
    assert parse_serve_options(["--models-dir", str(newer)]).model == "newest"
    assert parse_serve_options(["--models-dir", str(newer), "--model", "mine"]).model == "mine"
    assert parse_serve_options(["--models-dir", str(tmp_path)]).model == "mine"
    assert parse_serve_options([]).model == "mine"


def test_damaged_weights_are_not_served(program):
    weights = program / "models" / "mine" / "embedding_model.ckpt"
    weights.parent.mkdir()
    weights.write_bytes(WEIGHTS)
    assert find_prebuilt("mine", find_card("mine"), None).weights == weights
    weights.write_bytes(b"weightz")
    with pytest.raises(ModelUnavailable, match="is damaged") as caught:
        find_prebuilt("mine", find_card("mine"), None)
    assert caught.value.kind == "damaged"


def test_under_an_id_of_the_catalog_no_other_model_is_served(tmp_path):
    card = MODELS["ecapa-voxceleb"]
    folder = write(tmp_path, shipped_model(card.id))
    assert find_prebuilt(card.id, card, folder) is None
    write(folder, shipped_model(card.id, card.files[0].sha256))
    assert find_prebuilt(card.id, card, folder).prebuilt_in == folder


@pytest.mark.usefixtures("program")
def test_an_unknown_model_says_what_there_is():
    with pytest.raises(ModelUnavailable, match="campplus-zh-en, mine, other"):
        find_card("/no/such/folder")


@pytest.mark.usefixtures("program")
def test_a_bundle_without_torch_refuses_what_it_does_not_carry(monkeypatch):
    card = MODELS["campplus-zh-en"]
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda name: name)
    require_servable(card, None)
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match=r"carries \(mine, other\)") as caught:
        require_servable(card, None)
    assert caught.value.kind == "unknown_model"


def test_a_bundle_that_lost_its_models_is_to_be_installed_anew(monkeypatch, program):
    (program / "models" / prebuilt.INDEX).unlink()
    assert prebuilt.default_model() == "ecapa-voxceleb"
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match="models are missing: install the program anew"):
        require_servable(MODELS["ecapa-voxceleb"], None)


def test_a_program_that_is_no_bundle_may_fetch(monkeypatch):
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda _: None)
    require_servable(MODELS["campplus-zh-en"], None)


def test_a_user_without_a_home(monkeypatch, program):
    monkeypatch.delenv(weights.MODELS_DIR_VARIABLE, raising=False)
    nowhere = weights.Path("~/.local/share/speaker-sidecar")
    monkeypatch.setattr(weights.platformdirs, "user_data_path", lambda *_, **__: nowhere)
    assert weights.default_models_dir() == program / "models"
    monkeypatch.delattr(sys, "frozen")
    with pytest.raises(ModelUnavailable, match="no home folder is known"):
        weights.default_models_dir()
