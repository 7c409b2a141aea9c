"""What the CPU's runtimes run is the network."""

from __future__ import annotations

import pytest

from sidecar.networks import split, whole

pytest.importorskip("torch")

import torch
from torch import nn

from sidecar.networks import campplus, ecapa


@pytest.fixture(scope="module")
def model():
    made = with_random_batchnorms(campplus.CamPlusPlus())
    made.network.xvector.block1.tdnnd3.nonlinear1.batchnorm.weight[7] = 0
    return made


def with_random_batchnorms(made):
    torch.manual_seed(0)
    made.eval().requires_grad_(requires_grad=False)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                module.weight.normal_()  # of either sign
                module.bias.normal_()
    return made.double()


def test_halves_of_ecapa_are_ecapa():
    model = with_random_batchnorms(ecapa.EcapaTdnn())
    first, second, pads = split.of_ecapa(model)
    assert not pads
    for n_samples in (ecapa.MIN_SAMPLES, 16_000):
        waveforms = torch.randn(1, n_samples, dtype=torch.double) / 10
        expected, found = model(waveforms), second(first(waveforms))
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < 1e-8 * expected.abs().max()


def test_halves_of_campplus_are_campplus(model):
    waveforms = torch.randn(2, 16_000, dtype=torch.double) / 10
    n_samples = torch.tensor([16_000, 9_000])
    waveforms[1, 9_000:] = 0
    first, second, pads = split.of_campplus(model)
    expected = model(waveforms, n_samples)
    found = second(*first(waveforms, n_samples))
    assert pads
    assert (found - expected).abs().max() < 1e-8 * expected.abs().max()


def test_whole_ecapa_is_ecapa():
    model = with_random_batchnorms(ecapa.EcapaTdnn())
    module, batches = whole.of_ecapa(model)
    assert not batches
    for n_samples in (ecapa.MIN_SAMPLES, 16_000):
        waveforms = torch.randn(1, n_samples, dtype=torch.double) / 10
        expected, found = model(waveforms), module(waveforms)
        assert (found - expected).abs().max() < 1e-8 * expected.abs().max()


def test_whole_campplus_is_campplus(model):
    module, batches = whole.of_campplus(model)
    assert batches
    for n_samples in (campplus.MIN_SAMPLES, 16_000, 40_000):
        waveforms = torch.randn(2, n_samples, dtype=torch.double) / 10
        expected, found = model(waveforms), module(waveforms)
        assert (found - expected).abs().max() < 1e-8 * expected.abs().max()


def test_campplus_has_no_sequences_on_onnx_runtime_before_its_pooling(model):
    """Among maps, a single convolution of sequences has those around it rearranged."""
    layers = dict(whole.of_campplus(model).module.backbone.named_modules())
    of_sequences = [name for name, layer in layers.items() if isinstance(layer, nn.Conv1d)]
    assert of_sequences == ["dense.linear"]
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers.values()) == 1 + 52 * 5 + 3


def test_the_model_itself_stays_as_it_is(model):
    before = {name: values.clone() for name, values in model.state_dict().items()}
    split.of_campplus(model)
    whole.of_campplus(model)
    assert all(torch.equal(before[name], values) for name, values in model.state_dict().items())


def test_what_is_made_for_inference_stays_so(model):
    for made in (whole.of_campplus(model), whole.of_ecapa(ecapa.EcapaTdnn().eval())):
        assert not made.module.training
    whole.of_campplus(model).module.train()
    assert not any(part.training for part in model.modules())


def test_batchnorms_before_a_relu_only_shift(model):
    second = split.of_campplus(model).second
    layers = [m for m in second.modules() if isinstance(m, campplus.DTdnnLayer)]
    assert len(layers) == 12 + 24 + 16
    for layer in layers:
        batchnorm = layer.nonlinear1.batchnorm
        assert torch.equal(batchnorm.weight.abs(), torch.ones_like(batchnorm.weight))
