"""SpeechBrain, the judge of ECAPA-TDNN: what it loads and gives, and its frontend beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from model.white_noise import noise

from protocol.errors import ModelUnavailable
from sidecar.networks import speechbrain_parity
from sidecar.networks.ecapa import MIN_SAMPLES, SAMPLE_RATE_HZ, EcapaTdnn

pytestmark = pytest.mark.usefixtures("one_thread")

REPOSITORY = "speechbrain/spkrec-ecapa-voxceleb"


def test_names_and_shapes_are_speechbrains(speechbrain: Any) -> None:
    ours = EcapaTdnn().network.state_dict()
    theirs = speechbrain.mods.embedding_model.state_dict()
    assert {name: x.shape for name, x in ours.items()} == {
        name: x.shape for name, x in theirs.items()
    }
    assert round(sum(x.numel() for x in EcapaTdnn().parameters()) / 1e6, 1) == 20.8


def test_speechbrain_gives_raw_embeddings_by_default(
    seeded_ecapa_folder: Path, ecapa_model: EcapaTdnn, speechbrain: Any
) -> None:
    waveform = noise(1, SAMPLE_RATE_HZ)
    statistics = seeded_ecapa_folder / "mean_var_norm_emb.ckpt"
    speechbrain.hparams.mean_var_norm_emb._load(statistics)
    raw = speechbrain.encode_batch(waveform)[:, 0]
    normalised = speechbrain.encode_batch(waveform, normalize=True)[:, 0]
    torch.testing.assert_close(ecapa_model(waveform), raw, rtol=0, atol=1e-5 * raw.norm().item())
    mean = torch.load(statistics)["glob_mean"]
    torch.testing.assert_close(normalised, raw - mean, rtol=0, atol=1e-6)
    assert (normalised - raw).abs().max() > 0.1


@pytest.mark.usefixtures("speechbrain")
def test_speechbrain_reads_the_folder_whatever_its_hyperparameters_name(
    seeded_ecapa_folder: Path, tmp_path: Path
) -> None:
    text = (seeded_ecapa_folder / "hyperparams.yaml").read_text(encoding="utf-8")
    published = text.replace(seeded_ecapa_folder.as_posix(), REPOSITORY)
    assert f"pretrained_path: {REPOSITORY}\n" in published
    (tmp_path / "hyperparams.yaml").write_text(published, encoding="utf-8")
    weights = EcapaTdnn().network.state_dict()
    torch.save(weights, tmp_path / "embedding_model.ckpt")
    encoder = speechbrain_parity.speechbrain_encoder(tmp_path)
    loaded = encoder.mods.embedding_model.state_dict()
    assert torch.equal(loaded["fc.conv.weight"], weights["fc.conv.weight"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "embedding_model.ckpt",
        "hyperparams.yaml",
    }


@pytest.mark.usefixtures("speechbrain")
def test_import_of_speechbrain_leaves_full_precision() -> None:
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("missing", ["hyperparams.yaml", "embedding_model.ckpt"])
def test_folder_without_a_file_is_refused(missing: str, tmp_path: Path) -> None:
    for name in {"hyperparams.yaml", "embedding_model.ckpt"} - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(ModelUnavailable, match=missing):
        speechbrain_parity.speechbrain_encoder(tmp_path)


# ---- The frontend ----


@pytest.mark.parametrize("n_samples", [MIN_SAMPLES, 799, 800, 48_000])
def test_frontend_is_speechbrains(n_samples: int, ecapa_model: EcapaTdnn, speechbrain: Any) -> None:
    waveforms = noise(3, n_samples) * torch.tensor([[1], [0.1], [0.001]])
    ours = ecapa_model.frontend(waveforms)
    fbank = speechbrain.mods.compute_features(waveforms)
    theirs = speechbrain.mods.mean_var_norm(fbank, torch.ones(3))
    assert ours.shape == (3, 1 + n_samples // 160, 80)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)


def test_fbank_is_floored_80_db_below_the_loudest(ecapa_model: EcapaTdnn, speechbrain: Any) -> None:
    # Each utterance has its own floor; the second is silent and lies on the lowest of all.
    waveforms = torch.zeros(2, SAMPLE_RATE_HZ)
    waveforms[0, :8000] = noise(8000)
    decibels = ecapa_model.frontend.fbank(waveforms)
    loudest = decibels.amax(dim=(1, 2))
    torch.testing.assert_close(decibels[0].min(), loudest[0] - 80)
    assert decibels[1].eq(-100).all()
    theirs = speechbrain.mods.compute_features(waveforms)
    torch.testing.assert_close(decibels, theirs, rtol=0, atol=1e-3)
