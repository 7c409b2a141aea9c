"""ECAPA-TDNN with its largest convolution in 8 bits against the same in f32."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from sidecar.engine import device_check
from sidecar.store.catalog import MODELS
from sidecar.store.installed import InstalledModel, fingerprint

pytest.importorskip("torch")
pytest.importorskip("sidecar.engine.onnx_library")

import onnx
import torch
from torch import nn

from sidecar.engine.conversion import convert
from sidecar.engine.loading import ONNX_VERSION, converted_origin
from sidecar.engine.onnx_runtime import OnnxRuntime
from sidecar.networks.eight_bits import EightBitConvolution

CARD = MODELS["ecapa-voxceleb"]
MIN_COSINE = 0.999
MAX_MOVE = 0.02


@pytest.fixture(scope="module")
def runtimes(ecapa_weights, tmp_path_factory):
    """ONNX Runtime with one thread, in f32 and in int8, and where the networks lie."""
    root = tmp_path_factory.mktemp("models")
    sha256 = CARD.files[0].sha256
    made_by = fingerprint(CARD, sha256, CARD.recipe)
    made = {}
    for precision in ("f32", "int8"):
        origin = converted_origin(made_by, "onnxruntime", ONNX_VERSION, precision)
        installed = InstalledModel(CARD, ecapa_weights, sha256)
        made[precision] = convert(installed, root, origin, lambda *_: None)
    return SimpleNamespace(
        f32=OnnxRuntime(made["f32"], 1),
        int8=OnnxRuntime(made["int8"], 1, "int8"),
        references=made["int8"].references(),
        network=made["int8"].network,
    )


def unit(runtime, waveforms):
    found = np.concatenate([runtime.embed([w]) for w in waveforms]).astype(np.float64)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("part", ["whole", "middle second"])
def test_on_real_speech_embeddings_stay_near_and_scores_hardly_move(runtimes, shared, part):
    paths = sorted((shared / "audio" / "librispeech").rglob("*.flac"))
    waveforms = [soundfile.read(path, dtype="float32")[0] for path in paths]
    if part != "whole":
        waveforms = [speech[len(speech) // 2 - 8000 :][:16_000] for speech in waveforms]
    exact, rounded = (unit(runtime, waveforms) for runtime in (runtimes.f32, runtimes.int8))
    cosine = (exact * rounded).sum(axis=1).min()
    pairs = np.triu_indices(len(paths), k=1)
    moved = np.abs(rounded @ rounded.T - exact @ exact.T)[pairs].max()
    print(f"int8, {part}: cosine at least {cosine:.5f}; no score moves by more than {moved:.4f}")
    assert len(paths) == 50
    assert MIN_COSINE <= cosine < 1 - 1e-6
    assert moved <= MAX_MOVE


def test_it_passes_the_self_test_of_int8_but_not_that_of_f32(runtimes):
    embeddings = runtimes.int8.embed(device_check.waveforms())
    found = device_check.compare(embeddings, runtimes.references, "int8")
    print(f"int8: cosine {found.cosine} to the references")
    assert found.passed
    assert not device_check.compare(embeddings, runtimes.references, "f32").passed


def test_one_convolution_is_a_product_of_8_bits_that_no_cpu_can_cut_off(runtimes):
    graph = onnx.load(runtimes.network).graph
    [product] = [node for node in graph.node if node.op_type == "MatMulInteger"]
    [weights] = [
        onnx.numpy_helper.to_array(weights)
        for weights in graph.initializer
        if weights.name == product.input[1]
    ]
    assert weights.shape == (3072, 3072)
    assert weights.dtype == np.int8
    assert 2 * 255 * np.abs(weights.astype(int)).max() < 2**15


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_silence_gets_the_embedding_of_f32(runtimes, value):
    silence = [np.full(16_000, value, np.float32)]
    [cosine] = (unit(runtimes.f32, silence) * unit(runtimes.int8, silence)).sum(axis=1)
    assert cosine > MIN_COSINE


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_the_rounded_convolution_is_near_the_exact_one(sign):
    """Whether what comes in has one sign or both."""
    torch.manual_seed(0)
    exact = nn.Conv1d(64, 32, 1)
    x = torch.randn(1, 64, 20)
    x = sign * x.abs() if sign else x
    with torch.inference_mode():
        error = EightBitConvolution(exact)(x[:, :, None])[:, :, 0] - exact(x)
    assert 0 < error.abs().max() < 0.05
