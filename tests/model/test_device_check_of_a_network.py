"""The self-test with a real network: right weights pass, one corrupted weight does not serve."""

from __future__ import annotations

import pytest

from protocol.errors import DeviceError
from sidecar.config import Config
from sidecar.store.catalog import MODELS
from sidecar.store.installed import InstalledModel

torch = pytest.importorskip("torch")


@pytest.fixture
def open_model(campplus_weights, tmp_path):
    from sidecar.engine.encoder import open_encoder

    card = MODELS["campplus-zh-en"]
    installed = InstalledModel(card, campplus_weights, card.files[0].sha256)
    config = Config(model=card.id, device="cpu", runtime="torch", threads=1)

    def open_it():
        return open_encoder(config, installed, tmp_path, lambda _: None)

    return open_it


def test_the_published_weights_pass(open_model):
    result = open_model().device.self_test
    assert result.passed
    assert result.cosine > 0.999999


@pytest.mark.parametrize("layer", ["xvector.dense.linear.weight", "head.conv1.weight"])
def test_a_corrupted_weight_in_a_copy_does_not_serve(open_model, monkeypatch, layer):
    from sidecar.networks import campplus

    open_model()  # keeps the reference
    load = campplus.load

    def load_corrupted(path):
        model = load(path)
        weight = model.network.get_parameter(layer).data.view(-1)
        weight[len(weight) // 2] = 1e4  # as a flipped bit of an exponent does
        return model

    monkeypatch.setattr(campplus, "load", load_corrupted)
    with pytest.raises(DeviceError, match="the self-test on cpu failed: cosine") as caught:
        open_model()
    assert caught.value.kind == "self_test_failed"


@pytest.mark.parametrize("name", ["zero_behind", "mean_over_time", "statistics_pooling"])
def test_a_broken_mask_does_not_serve(open_model, monkeypatch, name):
    """What is computed of the longer utterance is right all the same."""
    from sidecar.networks import campplus

    open_model()  # keeps the references
    function = getattr(campplus, name)
    monkeypatch.setattr(campplus, name, lambda x, _valid: function(x, None))
    with pytest.raises(DeviceError, match="the self-test on cpu failed: cosine") as caught:
        open_model()
    assert caught.value.kind == "self_test_failed"
