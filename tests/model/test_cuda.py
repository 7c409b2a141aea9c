"""What only a CUDA device can show: run where there is one, skipped elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.params import EmbedBatchParams, HealthParams, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.program import sidecar_argv

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

MAX_PEAK_BYTES = 300 * 10**6


def audios(n, seconds):
    random = np.random.default_rng(0)
    for _ in range(n):
        samples = random.normal(0, 0.1, round(16_000 * seconds)).astype("<f4")
        yield PcmAudio(samples.tobytes(), "f32le", 16_000, 1)


def embed_on(device, model, items):
    argv = [*sidecar_argv(), "serve", "--model", str(model), "--device", device, "--offline"]
    with SpeakerSidecar.start(argv) as client:
        client.wait_until_ready(120)
        results = client.call(EmbedBatchParams(tuple(items), normalize=True))["results"]
        embeddings = [np.frombuffer(entry["result"]["embedding"], "<f4") for entry in results]
        return np.array(embeddings), client.call(HealthParams())


@pytest.mark.parametrize("network", ["ecapa", "campplus"])
def test_the_gpu_and_the_cpu_give_the_same_embeddings(network, ecapa_folder, request):
    model = ecapa_folder
    if network == "campplus":
        request.getfixturevalue("campplus_weights")
        model = "campplus-zh-en"
    items = [*audios(4, 1.0), *audios(4, 3.7), *audios(1, 20.0)]
    on_gpu, health = embed_on("cuda:0", model, items)
    on_cpu, _ = embed_on("cpu", model, items)
    assert health["device"]["selected"] == "cuda:0"
    assert health["device"]["self_test"]["passed"]
    assert (on_gpu * on_cpu).sum(axis=1).min() >= 0.99999
    on_gpu, on_cpu = on_gpu - on_gpu.mean(axis=0), on_cpu - on_cpu.mean(axis=0)
    norms = np.linalg.norm(on_gpu, axis=1) * np.linalg.norm(on_cpu, axis=1)
    assert ((on_gpu * on_cpu).sum(axis=1) / norms).min() >= 0.9999


@pytest.mark.parametrize("network", ["ecapa", "campplus"])
def test_a_padded_batch_gives_what_each_utterance_gives_alone(network, ecapa_folder, request):
    from sidecar.engine.torch_runtime import TorchRuntime
    from sidecar.networks import campplus, ecapa

    if network == "campplus":
        module, weights = campplus, request.getfixturevalue("campplus_weights")
    else:
        module, weights = ecapa, ecapa_folder / "embedding_model.ckpt"
    random = np.random.default_rng(0)
    lengths = [module.MIN_SAMPLES, 15_999, 16_000, 32_400, 80_000, 320_000]
    waveforms = [random.normal(0, 0.1, n_samples).astype(np.float32) for n_samples in lengths]
    gpu = TorchRuntime(module.load(weights), "cuda:0", None)
    batched = gpu.embed(waveforms)
    alone = np.concatenate([gpu.embed([waveform]) for waveform in waveforms])
    on_cpu = TorchRuntime(module.load(weights), "cpu", None).embed(waveforms)
    assert cosines(batched, alone).min() >= 0.99999
    assert cosines(batched, on_cpu).min() >= 0.99999
    assert cosines(batched - batched.mean(axis=0), alone - alone.mean(axis=0)).min() >= 0.9999


def cosines(a, b):
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def test_a_batch_of_seconds_stays_within_a_small_cards_memory(ecapa_folder):
    _, health = embed_on("cuda:0", ecapa_folder, audios(32, 1.0))
    assert 0 < health["process"]["gpu_peak_reserved_bytes"] <= MAX_PEAK_BYTES


def test_tf32_is_off():
    from sidecar.engine.torch_runtime import TorchRuntime

    TorchRuntime(torch.nn.Identity(), "cuda:0", None)
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cudnn.benchmark
