"""ECAPA-TDNN itself: the lengths and batches that it takes, and its checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from model.seeded_ecapa import write_checkpoint
from model.white_noise import noise

from protocol.errors import ModelUnavailable
from sidecar.networks import ecapa
from sidecar.networks.ecapa import EMBEDDING_DIM, MIN_SAMPLES, SAMPLE_RATE_HZ, EcapaTdnn

pytestmark = pytest.mark.usefixtures("one_thread")


# ---- Lengths and batches ----


def test_shortest_waveform(ecapa_model: EcapaTdnn) -> None:
    assert MIN_SAMPLES == 640
    assert ecapa_model(noise(1, MIN_SAMPLES)).isfinite().all()
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        ecapa_model(noise(1, MIN_SAMPLES - 1))


def test_silence_is_finite(ecapa_model: EcapaTdnn) -> None:
    assert ecapa_model(torch.zeros(1, SAMPLE_RATE_HZ)).isfinite().all()


@pytest.mark.parametrize("n_samples", [MIN_SAMPLES, 16_000, 40_000])
def test_batch_equals_one_by_one(n_samples: int, ecapa_model: EcapaTdnn) -> None:
    waveforms = noise(3, n_samples)
    batched = ecapa_model(waveforms)
    alone = torch.cat([ecapa_model(waveform.unsqueeze(0)) for waveform in waveforms])
    assert batched.shape == (3, EMBEDDING_DIM)
    torch.testing.assert_close(batched, alone, rtol=0, atol=1e-5 * alone.norm(dim=1).min().item())


def test_frontend_and_network_make_the_model(ecapa_model: EcapaTdnn) -> None:
    waveforms = noise(2, SAMPLE_RATE_HZ)
    features = ecapa_model.frontend(waveforms)
    assert features.shape == (2, 101, 80)
    torch.testing.assert_close(features.mean(dim=1), torch.zeros(2, 80), rtol=0, atol=1e-4)
    assert torch.equal(ecapa_model.network(features), ecapa_model(waveforms))


# ---- The checkpoint ----


def test_seed_decides_the_checkpoint(tmp_path: Path, seeded_ecapa_folder: Path) -> None:
    weights = [torch.load(seeded_ecapa_folder / "embedding_model.ckpt")]
    weights += [torch.load(write_checkpoint(tmp_path / str(seed), seed)) for seed in (0, 1)]
    first, again, other = (one["blocks.0.norm.norm.running_mean"] for one in weights)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_loaded_for_inference_only(ecapa_model: EcapaTdnn) -> None:
    assert not ecapa_model.training
    assert not any(parameter.requires_grad for parameter in ecapa_model.parameters())


def test_frontend_constants_are_in_no_checkpoint() -> None:
    assert not EcapaTdnn().frontend.state_dict()


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint", b"PK\x03\x04"])
def test_unreadable_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "embedding_model.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="not readable"):
        ecapa.load(path)


@pytest.mark.parametrize("fault", ["one missing", "one more", "other shape", "no names at all"])
def test_other_networks_weights_are_refused(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "embedding_model.ckpt"
    weights = EcapaTdnn().network.state_dict()
    name = "blocks.1.res2net_block.blocks.0.conv.conv.weight"
    if fault == "one missing":
        del weights[name]
    elif fault == "one more":
        weights["classifier.weight"] = torch.zeros(1)
    elif fault == "other shape":
        weights[name] = torch.zeros(1)
    torch.save(list(weights.values()) if fault == "no names at all" else weights, path)
    with pytest.raises(ModelUnavailable, match="does not hold the weights") as refusal:
        ecapa.load(path)
    assert len(str(refusal.value)) < 600
