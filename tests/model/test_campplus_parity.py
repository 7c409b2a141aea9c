"""CAM++ against its official implementation's embeddings, and its frontend against torchaudio's."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from model.white_noise import noise
from numpy.typing import NDArray
from torch import Tensor, nn

from sidecar.networks import campplus, campplus_context, kaldi_fbank
from sidecar.networks.campplus import SAMPLE_RATE_HZ, CamPlusPlus

pytestmark = pytest.mark.usefixtures("one_thread")

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
REFERENCE = SHARED / "reference" / "campplus_zh_en.npz"
SPEECH = SHARED / "audio" / "librispeech"
MIN_COSINE = 0.99999
# The shortest utterance of over 4 s (two segments and more) of each speaker.
FIVE_SPEAKERS = (
    "1688/1688-142285-0008.flac",
    "1998/1998-15444-0001.flac",
    "2033/2033-164914-0004.flac",
    "2414/2414-128291-0007.flac",
    "3331/3331-159605-0007.flac",
)

Embeddings = NDArray[np.float64]
Fbank = Callable[[Tensor], Tensor]


@pytest.fixture(scope="session")
def reference() -> dict[str, Embeddings]:
    """The official implementation's embeddings, by utterance."""
    if not (REFERENCE.is_file() and SPEECH.is_dir()):
        pytest.skip(f"no reference embeddings or speech under {SHARED}")
    with np.load(REFERENCE) as archive:
        names, embeddings = archive["names"], archive["embeddings"].astype(np.float64)
    return dict(zip(names.tolist(), embeddings, strict=True))


@pytest.fixture(scope="session")
def embeddings(campplus_model: CamPlusPlus, reference: dict[str, Embeddings]) -> Embeddings:
    return embed(campplus_model, list(reference))


@pytest.fixture(scope="session")
def official_fbank() -> Fbank:
    # On a CPU-only torch, torchaudio's CUDA build fails with OSError rather than ImportError.
    try:
        kaldi = importlib.import_module("torchaudio.compliance.kaldi")
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio, the judge of the frontend, cannot be imported: {error}")

    def fbank(waveform: Tensor) -> Tensor:
        features: Tensor = kaldi.fbank(
            waveform.unsqueeze(0),
            num_mel_bins=80,
            sample_frequency=16_000,
            dither=0,
        )
        return features

    return fbank


def read(name: str) -> Tensor:
    waveform, sample_rate_hz = soundfile.read(SPEECH / name, dtype="float32")
    assert sample_rate_hz == SAMPLE_RATE_HZ
    return torch.from_numpy(waveform)


def embed(model: CamPlusPlus, names: list[str]) -> Embeddings:
    with torch.inference_mode():
        embeddings = [model(read(name).unsqueeze(0)) for name in names]
    return torch.cat(embeddings).double().numpy()


def cosines(a: Embeddings, b: Embeddings) -> Embeddings:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / norms)


def lowest_cosines(ours: Embeddings, theirs: Embeddings) -> tuple[float, float]:
    """The lowest cosine over all utterances: as they are, and without each set's mean."""
    centred = cosines(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0))
    return float(cosines(ours, theirs).min()), float(centred.min())


# ---- The embedding ----


def test_embeddings_are_those_of_the_official_implementation(
    embeddings: Embeddings,
    reference: dict[str, Embeddings],
) -> None:
    # Measured: 1 - 5e-11 and 1 - 7e-11.
    raw, centred = lowest_cosines(embeddings, np.stack(list(reference.values())))
    assert raw >= MIN_COSINE
    assert centred >= MIN_COSINE


def test_every_pair_of_speakers_is_told_apart(
    embeddings: Embeddings,
    reference: dict[str, Embeddings],
) -> None:
    speakers = np.array([name.split("/")[0] for name in reference])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(speakers), k=1)
    scores = (unit @ unit.T)[first, second]
    same_speaker = speakers[first] == speakers[second]
    assert len(scores) == 1225
    assert scores[same_speaker].min() > 0.55
    assert scores[~same_speaker].max() < 0.45


Mutate = Callable[[CamPlusPlus, pytest.MonkeyPatch], None]


def without(module: str) -> Mutate:
    def mutate(model: CamPlusPlus, _: pytest.MonkeyPatch) -> None:
        model.network.set_submodule(module, nn.Identity())

    return mutate


def relu_after_last_batchnorm(model: CamPlusPlus, _: pytest.MonkeyPatch) -> None:
    model.network.xvector.dense.nonlinear.append(nn.ReLU())


def no_mean_subtraction(model: CamPlusPlus, _: pytest.MonkeyPatch) -> None:
    model.set_submodule("frontend", model.frontend.fbank)


def no_segment_pooling(_: CamPlusPlus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        campplus_context, "segment_weights", lambda segments, _: torch.zeros_like(segments)
    )


def last_segment_diluted(_: CamPlusPlus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campplus_context, "segment_weights", lambda segments, _: segments / 100)


def other_dilation(model: CamPlusPlus, _: pytest.MonkeyPatch) -> None:
    for layer in model.network.xvector.block3.modules():
        if isinstance(layer, campplus.ContextAwareMasking):
            layer.linear_local.dilation = (1,)
            layer.linear_local.padding = (1,)


def hann_window(model: CamPlusPlus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaldi_fbank, "POVEY_EXPONENT", 1.0)
    model.set_submodule("frontend", campplus.Frontend())


def no_preemphasis(model: CamPlusPlus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaldi_fbank, "PREEMPHASIS", 0.0)
    model.set_submodule("frontend", campplus.Frontend())


def samples_as_integers(model: CamPlusPlus, _: pytest.MonkeyPatch) -> None:
    for constant in ("cosines", "sines"):
        getattr(model.frontend.fbank, constant).mul_(32_768)


MUTANTS = {
    "no BatchNorm in the head": without("head.layer2.1.bn2"),
    "no BatchNorm in a shortcut": without("head.layer1.0.shortcut.1"),
    "no BatchNorm after the TDNN": without("xvector.tdnn.nonlinear.batchnorm"),
    "no BatchNorm in the very last D-TDNN layer": without(
        "xvector.block3.tdnnd16.nonlinear2.batchnorm",
    ),
    "no BatchNorm before pooling": without("xvector.out_nonlinear.batchnorm"),
    "no BatchNorm at the end": without("xvector.dense.nonlinear.batchnorm"),
    "ReLU after the last BatchNorm": relu_after_last_batchnorm,
    "no mean subtraction": no_mean_subtraction,
    "no segment pooling": no_segment_pooling,
    "last segment divided by 100 frames": last_segment_diluted,
    "dilation 1 in the last block": other_dilation,
    "Hann for Povey": hann_window,
    "no pre-emphasis": no_preemphasis,
    "samples as 16-bit integers": samples_as_integers,
}


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS.keys())
def test_parity_bound_catches(
    mutate: Mutate,
    campplus_model: CamPlusPlus,
    reference: dict[str, Embeddings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant = copy.deepcopy(campplus_model)
    mutate(mutant, monkeypatch)
    theirs = np.stack([reference[name] for name in FIVE_SPEAKERS])
    raw, centred = lowest_cosines(embed(mutant, list(FIVE_SPEAKERS)), theirs)
    assert raw < MIN_COSINE
    assert centred < MIN_COSINE


# ---- The frontend ----


@pytest.mark.parametrize("n_samples", [400, 559, 560, 48_000])
def test_fbank_of_noise_is_torchaudios(n_samples: int, official_fbank: Fbank) -> None:
    waveform = noise(n_samples)
    # Measured: at most 1e-4, nearly all of it torchaudio's rounding (ours to float64: 4e-5).
    torch.testing.assert_close(fbank(waveform), official_fbank(waveform), rtol=0, atol=1e-3)


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("name", FIVE_SPEAKERS)
@pytest.mark.parametrize("dc_offset", [0.0, 0.5])
def test_fbank_of_speech_is_torchaudios(
    name: str,
    dc_offset: float,
    official_fbank: Fbank,
) -> None:
    waveform = read(name) + dc_offset
    ours, theirs = fbank(waveform), official_fbank(waveform)
    # Measured: at most 4e-3, in bands hardly above the energy floor, where both round.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-2)
    assert (ours - theirs).abs().mean() < 2e-4


def test_fbank_of_silence_is_the_floor(official_fbank: Fbank) -> None:
    silence = torch.zeros(1600)
    assert torch.equal(fbank(silence), official_fbank(silence))


def fbank(waveform: Tensor) -> Tensor:
    features: Tensor = kaldi_fbank.KaldiFbank()(waveform.unsqueeze(0))
    return features.squeeze(0)
