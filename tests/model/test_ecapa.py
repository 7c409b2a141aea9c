"""ECAPA-TDNN against SpeechBrain itself, on a seeded checkpoint that both load."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from model.seeded_ecapa import write_checkpoint
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from protocol.errors import ModelUnavailable
from sidecar.networks import ecapa, ecapa_layers, speechbrain_fbank, speechbrain_parity
from sidecar.networks.ecapa import (
    EMBEDDING_DIM,
    MIN_SAMPLES,
    SAMPLE_RATE_HZ,
    EcapaTdnn,
)
from sidecar.networks.speechbrain_parity import MIN_COSINE, Outputs
from sidecar.networks.valid_frames import frame_weights

REPOSITORY = "speechbrain/spkrec-ecapa-voxceleb"
# The mutants are tried on the utterances up to 1 s: long ones cost time and reveal less.
N_SHORT = 10


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    # OpenMP's threads spin while they wait: on a busy machine, two take longer than one.
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module", autouse=True)
def _no_lazy_module_stays() -> Iterator[None]:
    # SpeechBrain's raise when anything looks at them, as hypothesis does at all that is imported.
    yield
    for name, module in list(sys.modules.items()):
        if "Lazy" in type(module).__name__ or "Redirect" in type(module).__name__:
            del sys.modules[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("ecapa")).parent


@pytest.fixture(scope="module")
def model(folder: Path) -> EcapaTdnn:
    return ecapa.load(folder / "embedding_model.ckpt")


@pytest.fixture(scope="module")
def speechbrain(folder: Path) -> Any:
    try:
        return speechbrain_parity.speechbrain_encoder(folder)
    except ImportError as error:
        pytest.skip(f"SpeechBrain, the judge, cannot be imported: {error}")


@pytest.fixture(scope="module")
def short_probes() -> list[Tensor]:
    return speechbrain_parity.probes()[:N_SHORT]


@pytest.fixture(scope="module")
def judgement(folder: Path, speechbrain: Any, short_probes: list[Tensor]) -> Outputs:
    return speechbrain_parity.speechbrain_outputs(folder, short_probes)


@pytest.fixture(scope="module")
def speech(shared: Path) -> list[Tensor]:
    """Twenty stretches of real speech, as long as the probes, of five speakers in turn."""
    folders = sorted(path for path in (shared / "audio" / "librispeech").iterdir() if path.is_dir())
    speakers = [np.concatenate([read(path) for path in sorted(f.glob("*.flac"))]) for f in folders]
    waveforms = []
    for i, probe in enumerate(speechbrain_parity.probes()):
        start = i * SAMPLE_RATE_HZ
        stretch = speakers[i % len(speakers)][start : start + len(probe)]
        assert len(stretch) == len(probe)
        waveforms.append(torch.from_numpy(stretch))
    return waveforms


def read(path: Path) -> NDArray[np.float32]:
    waveform, sample_rate_hz = soundfile.read(path, dtype="float32")
    assert sample_rate_hz == SAMPLE_RATE_HZ
    return np.asarray(waveform, dtype=np.float32)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def embed(model: EcapaTdnn, waveforms: Sequence[Tensor]) -> NDArray[np.float64]:
    return speechbrain_parity.outputs(model, waveforms).embeddings


# ---- Parity ----


def test_probes_reach_from_the_shortest_waveform_to_30_s() -> None:
    lengths = [len(probe) for probe in speechbrain_parity.probes()]
    assert len(set(lengths)) == 20
    assert min(lengths) == MIN_SAMPLES
    assert max(lengths) == 30 * SAMPLE_RATE_HZ


@pytest.mark.usefixtures("speechbrain")
@pytest.mark.parametrize("kind", ["noise", "speech"])
def test_agrees_with_speechbrain(kind: str, folder: Path, request: pytest.FixtureRequest) -> None:
    waveforms = None if kind == "noise" else request.getfixturevalue("speech")
    # Measured: cosines at least 1 - 1e-9; bands that are not faint, at most 7e-4 dB.
    report = speechbrain_parity.compare_with_speechbrain(folder, waveforms)
    print(report)
    assert report.n_utterances == 20
    assert report.passed, report


Mutate = Callable[[EcapaTdnn, pytest.MonkeyPatch], None]


def without(module: str) -> Mutate:
    def mutate(model: EcapaTdnn, _: pytest.MonkeyPatch) -> None:
        model.network.set_submodule(module, nn.Identity())

    return mutate


def batchnorm_before_relu(module: str) -> Mutate:
    def mutate(model: EcapaTdnn, monkeypatch: pytest.MonkeyPatch) -> None:
        block = model.network.get_submodule(module)
        assert isinstance(block, ecapa.TdnnBlock)
        monkeypatch.setattr(
            block, "forward", lambda x, own=None: functional.relu(block.norm(block.conv(x, own)))
        )

    return mutate


def zero_padding(_: EcapaTdnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecapa_layers, "reflect_pad", lambda x, n, _: functional.pad(x, (n, n)))


def no_mean_subtraction(model: EcapaTdnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.frontend, "forward", model.frontend.fbank.forward)


def no_global_context(model: EcapaTdnn, _: pytest.MonkeyPatch) -> None:
    model.network.asp.tdnn.conv.conv.weight[:, ecapa.AGGREGATE_CHANNELS :] = 0


def no_attention(_: EcapaTdnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecapa, "softmax_over_time", frame_weights)


def other_dilation(model: EcapaTdnn, _: pytest.MonkeyPatch) -> None:
    for module in model.network.blocks[3].modules():
        if isinstance(module, ecapa.Convolution) and module.reach_frames:
            module.reach_frames, module.conv.dilation = 3, (3,)


def rebuilt_frontend(name: str, value: object) -> Mutate:
    def mutate(model: EcapaTdnn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(speechbrain_fbank, name, value)
        model.frontend = ecapa.Frontend()

    return mutate


def hann_window() -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400))


def symmetric_hamming_window() -> NDArray[np.float64]:
    return np.asarray(np.hamming(400))


def textbook_mel_matrix() -> NDArray[np.float64]:
    edges = speechbrain_fbank.hertz(np.linspace(0, speechbrain_fbank.mel(8000), 82))
    left, centre, right = (edges[i : i + 80, np.newaxis] for i in range(3))
    bins_hz = np.arange(201) * 40.0
    rising, falling = (bins_hz - left) / (centre - left), (right - bins_hz) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


MUTANTS = {
    "a BatchNorm removed": without("blocks.2.tdnn1.norm"),
    "a BatchNorm before its ReLU": batchnorm_before_relu("mfa"),
    "zero padding": zero_padding,
    "no mean subtraction": no_mean_subtraction,
    "no BatchNorm in the attention": without("asp.tdnn.norm"),
    "no BatchNorm after pooling": without("asp_bn"),
    "the last Res2Net BatchNorm before its ReLU": batchnorm_before_relu(
        "blocks.3.res2net_block.blocks.6"
    ),
    "no global context": no_global_context,
    "no attention": no_attention,
    "dilation 3 in the last block": other_dilation,
    "Hann for Hamming": rebuilt_frontend("hamming_window", hann_window),
    "symmetric window": rebuilt_frontend("hamming_window", symmetric_hamming_window),
    "textbook mel filters": rebuilt_frontend("mel_matrix", textbook_mel_matrix),
}


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS.keys())
def test_parity_bounds_catch(
    mutate: Mutate,
    model: EcapaTdnn,
    short_probes: list[Tensor],
    judgement: Outputs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant = copy.deepcopy(model)
    mutate(mutant, monkeypatch)
    report = speechbrain_parity.compare(speechbrain_parity.outputs(mutant, short_probes), judgement)
    print(report)
    assert not report.passed
    assert report.min_cosine < MIN_COSINE
    assert report.min_centred_cosine < MIN_COSINE


def test_parity_bounds_pass_what_is_no_mutant(
    model: EcapaTdnn, short_probes: list[Tensor], judgement: Outputs
) -> None:
    assert speechbrain_parity.compare(
        speechbrain_parity.outputs(model, short_probes), judgement
    ).passed


@pytest.mark.parametrize("fault", ["NaN in an embedding", "NaN in a feature"])
def test_nan_never_passes(fault: str) -> None:
    sound = Outputs([torch.zeros(5, 80)] * 2, np.eye(2))
    broken = copy.deepcopy(sound)
    if fault == "NaN in an embedding":
        broken.embeddings[0, 0] = np.nan
    else:
        broken.decibels[0][0, 0] = torch.nan
    assert speechbrain_parity.compare(sound, sound).passed
    assert not speechbrain_parity.compare(broken, sound).passed
    assert not speechbrain_parity.compare(sound, broken).passed


# ---- SpeechBrain's side ----


def test_names_and_shapes_are_speechbrains(speechbrain: Any) -> None:
    ours = EcapaTdnn().network.state_dict()
    theirs = speechbrain.mods.embedding_model.state_dict()
    assert {name: x.shape for name, x in ours.items()} == {
        name: x.shape for name, x in theirs.items()
    }
    assert round(sum(x.numel() for x in EcapaTdnn().parameters()) / 1e6, 1) == 20.8


def test_frontend_constants_are_in_no_checkpoint() -> None:
    assert not EcapaTdnn().frontend.state_dict()


def test_speechbrain_gives_raw_embeddings_by_default(
    folder: Path, model: EcapaTdnn, speechbrain: Any
) -> None:
    waveform = noise(1, SAMPLE_RATE_HZ)
    speechbrain.hparams.mean_var_norm_emb._load(folder / "mean_var_norm_emb.ckpt")
    raw = speechbrain.encode_batch(waveform)[:, 0]
    normalised = speechbrain.encode_batch(waveform, normalize=True)[:, 0]
    torch.testing.assert_close(model(waveform), raw, rtol=0, atol=1e-4)
    mean = torch.load(folder / "mean_var_norm_emb.ckpt")["glob_mean"]
    torch.testing.assert_close(normalised, raw - mean, rtol=0, atol=1e-6)
    assert (normalised - raw).abs().max() > 0.1


@pytest.mark.usefixtures("speechbrain")
def test_speechbrain_reads_the_folder_whatever_its_hyperparameters_name(
    folder: Path, tmp_path: Path
) -> None:
    text = (folder / "hyperparams.yaml").read_text(encoding="utf-8")
    published = text.replace(folder.as_posix(), REPOSITORY)
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
def test_frontend_is_speechbrains(n_samples: int, model: EcapaTdnn, speechbrain: Any) -> None:
    waveforms = noise(3, n_samples) * torch.tensor([[1], [0.1], [0.001]])
    ours = model.frontend(waveforms)
    fbank = speechbrain.mods.compute_features(waveforms)
    theirs = speechbrain.mods.mean_var_norm(fbank, torch.ones(3))
    assert ours.shape == (3, 1 + n_samples // 160, 80)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)


def test_fbank_is_floored_80_db_below_the_loudest(model: EcapaTdnn, speechbrain: Any) -> None:
    # Each utterance has its own floor; the second is silent and lies on the lowest of all.
    waveforms = torch.zeros(2, SAMPLE_RATE_HZ)
    waveforms[0, :8000] = noise(8000)
    decibels = model.frontend.fbank(waveforms)
    loudest = decibels.amax(dim=(1, 2))
    torch.testing.assert_close(decibels[0].min(), loudest[0] - 80)
    assert decibels[1].eq(-100).all()
    theirs = speechbrain.mods.compute_features(waveforms)
    torch.testing.assert_close(decibels, theirs, rtol=0, atol=1e-3)


# ---- Lengths and batches ----


def test_shortest_waveform(model: EcapaTdnn) -> None:
    assert MIN_SAMPLES == 640
    assert model(noise(1, MIN_SAMPLES)).isfinite().all()
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        model(noise(1, MIN_SAMPLES - 1))


def test_silence_is_finite(model: EcapaTdnn) -> None:
    assert model(torch.zeros(1, SAMPLE_RATE_HZ)).isfinite().all()


@pytest.mark.parametrize("n_samples", [MIN_SAMPLES, 16_000, 40_000])
def test_batch_equals_one_by_one(n_samples: int, model: EcapaTdnn) -> None:
    waveforms = noise(3, n_samples)
    batched = model(waveforms)
    alone = torch.cat([model(waveform.unsqueeze(0)) for waveform in waveforms])
    assert batched.shape == (3, EMBEDDING_DIM)
    torch.testing.assert_close(batched, alone, rtol=0, atol=1e-4)


def test_frontend_and_network_make_the_model(model: EcapaTdnn) -> None:
    waveforms = noise(2, SAMPLE_RATE_HZ)
    features = model.frontend(waveforms)
    assert features.shape == (2, 101, 80)
    torch.testing.assert_close(features.mean(dim=1), torch.zeros(2, 80), rtol=0, atol=1e-4)
    assert torch.equal(model.network(features), model(waveforms))


# ---- The checkpoint ----


def test_seeded_voices_are_told_apart(model: EcapaTdnn, speech: list[Tensor]) -> None:
    # With weights as torch initialises them, unrelated voices score 0.89 to 0.98.
    seconds = [waveform[:SAMPLE_RATE_HZ] for waveform in speech if len(waveform) >= SAMPLE_RATE_HZ]
    embeddings = embed(model, seconds)
    first, second = np.triu_indices(len(seconds), k=1)
    scores = speechbrain_parity.cosines(embeddings[first], embeddings[second])
    assert np.median(scores) < 0.85
    assert scores.min() < 0.6


def test_seed_decides_the_checkpoint(tmp_path: Path, folder: Path) -> None:
    weights = [torch.load(folder / "embedding_model.ckpt")]
    weights += [torch.load(write_checkpoint(tmp_path / str(seed), seed)) for seed in (0, 1)]
    first, again, other = (one["blocks.0.norm.norm.running_mean"] for one in weights)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_loaded_for_inference_only(model: EcapaTdnn) -> None:
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


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
