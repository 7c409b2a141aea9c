"""CAM++ itself: its parts, the lengths and batches that it takes, and its checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model.white_noise import noise
from torch.nn import functional

from protocol.errors import ModelUnavailable
from sidecar.networks import campplus, kaldi_fbank
from sidecar.networks.campplus import MIN_SAMPLES, SAMPLE_RATE_HZ, CamPlusPlus

pytestmark = pytest.mark.usefixtures("one_thread")


# ---- Its parts ----


@pytest.mark.parametrize("n_frames", [2, 99, 100, 101, 250, 300])
def test_context_is_the_mean_of_the_utterance_plus_that_of_the_segment(n_frames: int) -> None:
    x = noise(2, 3, n_frames)
    means = functional.avg_pool1d(x, 100, ceil_mode=True)
    context = campplus.context_of(x, None)
    torch.testing.assert_close(x @ context.weights, x.mean(dim=-1, keepdim=True) + means)
    held = means @ context.segments
    assert held.shape == x.shape
    for t in range(n_frames):
        assert torch.equal(held[..., t], means[..., t // 100])


def test_statistics_are_mean_and_unbiased_deviation() -> None:
    # The parity bound cannot tell the divisor n - 1 from n: it moves a cosine by about 1e-6.
    x = noise(2, 3, 7)
    expected = torch.cat((x.mean(dim=-1), x.std(dim=-1, correction=1)), dim=-1)
    torch.testing.assert_close(campplus.statistics_pooling(x, None), expected)


@pytest.mark.parametrize("n_samples", [400, 559, 560, 16_000])
@pytest.mark.parametrize("dc_offset", [0.0, 0.5])
def test_features_are_kaldis_recipe(n_samples: int, dc_offset: float) -> None:
    samples = noise(n_samples).double().numpy() + dc_offset
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate((frames[:, :1], frames[:, :-1]), axis=1)
    windowed = (frames - 0.97 * before) * np.hanning(400) ** 0.85
    power = np.abs(np.fft.rfft(windowed, 512)) ** 2
    energies = power @ kaldi_fbank.mel_matrix().T
    expected = np.log(np.maximum(energies, np.finfo(np.float32).eps))
    [found] = kaldi_fbank.KaldiFbank()(torch.from_numpy(samples[np.newaxis]).float()).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


# ---- Lengths and batches ----


def test_shortest_waveform(campplus_model: CamPlusPlus) -> None:
    with torch.inference_mode():
        assert campplus_model(noise(1, MIN_SAMPLES)).isfinite().all()
        assert campplus_model(noise(1, MIN_SAMPLES - 1)).isnan().all()


def test_silence_is_finite(campplus_model: CamPlusPlus) -> None:
    with torch.inference_mode():
        assert campplus_model(torch.zeros(1, SAMPLE_RATE_HZ)).isfinite().all()


@pytest.mark.parametrize("n_samples", [MIN_SAMPLES, 16_000, 70_000])
def test_batch_equals_one_by_one(n_samples: int, campplus_model: CamPlusPlus) -> None:
    waveforms = noise(3, n_samples)
    with torch.inference_mode():
        batched = campplus_model(waveforms)
        alone = torch.cat([campplus_model(waveform.unsqueeze(0)) for waveform in waveforms])
    assert batched.shape == (3, campplus.EMBEDDING_DIM)
    torch.testing.assert_close(batched, alone, rtol=0, atol=1e-4)


def test_frontend_and_network_make_the_model(campplus_model: CamPlusPlus) -> None:
    waveforms = noise(2, SAMPLE_RATE_HZ)
    with torch.inference_mode():
        features = campplus_model.frontend(waveforms)
        assert torch.equal(campplus_model.network(features), campplus_model(waveforms))
    assert features.shape == (2, 98, 80)
    torch.testing.assert_close(features.mean(dim=1), torch.zeros(2, 80), rtol=0, atol=1e-4)


# ---- The checkpoint ----


def test_names_and_shapes_are_the_checkpoints(campplus_weights: Path) -> None:
    checkpoint = torch.load(campplus_weights, map_location="cpu", weights_only=True)
    ours = CamPlusPlus().network.state_dict()
    assert len(ours) == 937
    assert {name: x.shape for name, x in ours.items()} == {
        name: x.shape for name, x in checkpoint.items()
    }


def test_loaded_for_inference_only(campplus_model: CamPlusPlus) -> None:
    assert not campplus_model.training
    assert not any(parameter.requires_grad for parameter in campplus_model.parameters())


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint", b"PK\x03\x04"])
def test_unreadable_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="not readable"):
        campplus.load(path)


@pytest.mark.parametrize("fault", ["one missing", "one more", "other shape", "no names at all"])
def test_other_networks_weights_are_refused(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    weights = CamPlusPlus().network.state_dict()
    name = "xvector.block1.tdnnd1.linear1.weight"
    if fault == "one missing":
        del weights[name]
    elif fault == "one more":
        weights["classifier.weight"] = torch.zeros(1)
    elif fault == "other shape":
        weights[name] = torch.zeros(1)
    torch.save(list(weights.values()) if fault == "no names at all" else weights, path)
    with pytest.raises(ModelUnavailable, match="does not hold the weights") as refusal:
        campplus.load(path)
    assert len(str(refusal.value)) < 600
