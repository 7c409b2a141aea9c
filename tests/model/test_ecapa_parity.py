"""ECAPA-TDNN against SpeechBrain itself, and what that comparison catches."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from model.make_ecapa_reference import REFERENCE
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks import ecapa, ecapa_layers, speechbrain_fbank, speechbrain_parity
from sidecar.networks.ecapa import MIN_SAMPLES, SAMPLE_RATE_HZ, EcapaTdnn
from sidecar.networks.speechbrain_parity import MIN_COSINE, Outputs
from sidecar.networks.valid_frames import frame_weights

pytestmark = pytest.mark.usefixtures("one_thread")

# The mutants are tried on the utterances up to 1 s: long ones cost time and reveal less.
N_SHORT = 10


@pytest.fixture(scope="module")
def short_probes() -> list[Tensor]:
    return speechbrain_parity.probes()[:N_SHORT]


@pytest.fixture(scope="module")
def judgement(ecapa_folder: Path, speechbrain: Any, short_probes: list[Tensor]) -> Outputs:
    return speechbrain_parity.speechbrain_outputs(ecapa_folder, short_probes)


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


def test_probes_reach_from_the_shortest_waveform_to_30_s() -> None:
    lengths = [len(probe) for probe in speechbrain_parity.probes()]
    assert len(set(lengths)) == 20
    assert min(lengths) == MIN_SAMPLES
    assert max(lengths) == 30 * SAMPLE_RATE_HZ


@pytest.mark.usefixtures("speechbrain")
@pytest.mark.parametrize("kind", ["noise", "speech"])
def test_agrees_with_speechbrain(
    kind: str, ecapa_folder: Path, request: pytest.FixtureRequest
) -> None:
    waveforms = None if kind == "noise" else request.getfixturevalue("speech")
    # Measured: cosines at least 1 - 1e-9; bands that are not faint, at most 7e-4 dB.
    report = speechbrain_parity.compare_with_speechbrain(ecapa_folder, waveforms)
    print(report)
    assert report.n_utterances == 20
    assert report.passed, report


def test_published_embeddings_are_speechbrains(ecapa_weights: Path, shared: Path) -> None:
    """What SpeechBrain made of fifty utterances once, whether it can be imported here or not."""
    with np.load(REFERENCE) as archive:
        names, theirs = archive["names"].tolist(), archive["embeddings"].astype(np.float64)
    speech = [torch.from_numpy(read(shared / "audio" / "librispeech" / name)) for name in names]
    ours = speechbrain_parity.outputs(ecapa.load(ecapa_weights), speech).embeddings
    cosines = speechbrain_parity.cosines(ours, theirs)
    print(f"least cosine of {len(names)} utterances: {cosines.min():.9f}")
    assert len(names) == 50
    assert cosines.min() >= MIN_COSINE


def test_voices_are_told_apart(ecapa_model: EcapaTdnn, speech: list[Tensor]) -> None:
    # With weights as torch initialises them, unrelated voices score 0.89 to 0.98.
    seconds = [waveform[:SAMPLE_RATE_HZ] for waveform in speech if len(waveform) >= SAMPLE_RATE_HZ]
    embeddings = speechbrain_parity.outputs(ecapa_model, seconds).embeddings
    first, second = np.triu_indices(len(seconds), k=1)
    scores = speechbrain_parity.cosines(embeddings[first], embeddings[second])
    assert np.median(scores) < 0.85
    assert scores.min() < 0.6


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
    ecapa_model: EcapaTdnn,
    short_probes: list[Tensor],
    judgement: Outputs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant = copy.deepcopy(ecapa_model)
    mutate(mutant, monkeypatch)
    report = speechbrain_parity.compare(speechbrain_parity.outputs(mutant, short_probes), judgement)
    print(report)
    assert not report.passed
    assert report.min_cosine < MIN_COSINE
    assert report.min_centred_cosine < MIN_COSINE


def test_parity_bounds_pass_what_is_no_mutant(
    ecapa_model: EcapaTdnn, short_probes: list[Tensor], judgement: Outputs
) -> None:
    assert speechbrain_parity.compare(
        speechbrain_parity.outputs(ecapa_model, short_probes), judgement
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
