from __future__ import annotations

import hashlib

import pytest

from protocol.errors import ModelUnavailable
from sidecar.store.catalog import MODELS, SPEECH_DETECTOR
from sidecar.store.installed import find_card, install
from sidecar.store.weights import WeightStore


def test_an_id_of_the_catalog_is_its_card():
    assert find_card("ecapa-voxceleb") is MODELS["ecapa-voxceleb"]


def test_a_folder_is_an_ecapa_of_the_users_own(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "embedding_model.ckpt").write_bytes(b"weights")
    card = find_card(str(folder))
    assert (card.id, card.network, card.files) == ("mine", "ecapa", ())
    installed = install(str(folder), card, WeightStore(tmp_path / "store", offline=True))
    assert installed.weights == folder / "embedding_model.ckpt"
    assert installed.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert not (tmp_path / "store").exists()


def test_a_folder_without_weights_says_what_belongs_there(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"its weights in embedding_model.ckpt") as caught:
        install(str(tmp_path), find_card(str(tmp_path)), WeightStore(tmp_path, offline=True))
    assert caught.value.kind == "not_readable"


def test_what_hears_speech_is_no_model_that_serves():
    with pytest.raises(ModelUnavailable, match="no model 'silero-vad'") as caught:
        find_card(SPEECH_DETECTOR.id)
    assert caught.value.kind == "unknown_model"


def test_what_is_neither_says_what_there_is():
    with pytest.raises(ModelUnavailable, match="ecapa-voxceleb, campplus-zh-en") as caught:
        find_card("/no/such/folder")
    assert caught.value.kind == "unknown_model"


def test_the_default_model_offline_and_absent_names_the_file_and_its_place(tmp_path):
    card = find_card("ecapa-voxceleb")
    with pytest.raises(ModelUnavailable) as caught:
        install("ecapa-voxceleb", card, WeightStore(tmp_path, offline=True))
    assert caught.value.kind == "offline"
    weights = card.files[0]
    assert f"{tmp_path / 'ecapa-voxceleb' / weights.name} (" in caught.value.message
    assert weights.sha256 in caught.value.message


def test_fetching_the_default_model_names_every_file_and_place(tmp_path):
    card = find_card("ecapa-voxceleb")
    with pytest.raises(ModelUnavailable) as caught:
        WeightStore(tmp_path, offline=True).ensure(card)
    for file in card.files:
        assert f"{tmp_path / 'ecapa-voxceleb' / file.name} (" in caught.value.message
        assert file.sha256 in caught.value.message
