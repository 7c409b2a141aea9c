"""What an engine is, and those there are.

Each is opened in a process of its own, and imports its libraries there alone: what the others need
is not to count as its memory, nor as its start.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ModelUnavailable
from sidecar.audio.waveform import Waveform
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.store.installed import InstalledModel, find_card, install
from sidecar.store.weights import WeightStore, default_models_dir

Waveforms = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class About:
    """What computes, and with what."""

    runtime: str | None
    precision: str | None
    threads: int | None
    versions: dict[str, str] = field(default_factory=dict)
    remark: str = ""
    takes_batches: bool = True


@dataclass(frozen=True)
class Engine:
    """``embed`` takes waveforms, each of shape (n_samples,), and computes with them together.

    ``gpu_peak_bytes``: the most that torch's allocator held; None on the CPU. ``count_flop``: the
    network's floating-point operations for so many samples, which the yardstick alone counts.
    """

    about: About
    embed: Callable[[Waveforms], object]
    gpu_peak_bytes: Callable[[], int | None] = lambda: None
    count_flop: Callable[[int], int] | None = None


def own_encoder(config: Config) -> Engine:
    """The encoder that ``serve`` would open: what the sidecar is without its wire."""
    backend = SpeechEngine(config)
    backend.import_libraries()
    encoder = backend.open(lambda _: None, lambda: False)
    device, limits = encoder.device, encoder.batch_limits

    def embed(waveforms: Waveforms) -> None:
        # Batches are cut as the server cuts them.
        longest = max(map(len, waveforms))
        n_together = max(1, min(limits.max_items, limits.max_padded_samples // longest))
        for start in range(0, len(waveforms), n_together):
            encoder.embed([Waveform(one) for one in waveforms[start : start + n_together]])

    about = About(device.runtime, device.precision, device.threads)
    return Engine(about, embed, encoder.peak_reserved_bytes)


def speechbrain_eager(config: Config) -> Engine:
    """SpeechBrain's own pipeline on the same checkpoint, as its documentation runs it."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(config.threads or torch.get_num_threads())
    judge = importlib.import_module("sidecar.networks.speechbrain_parity")
    card, folder = find_card(config.model), Path(config.model)
    if card.files:
        folder = next(iter(_store(config).ensure(card).values())).parent
    encoder = judge.speechbrain_encoder(folder, config.device)

    def embed(waveforms: Waveforms) -> None:
        # They are of equal length: SpeechBrain's padded batches are not exact.
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(waveforms)).to(config.device)
            encoder.encode_batch(batch).cpu().numpy()

    def gpu_peak_bytes() -> int | None:
        return torch.cuda.max_memory_reserved(config.device) if config.device != "cpu" else None

    libraries = _versions("speechbrain", "torch", "torchaudio")
    about = About("SpeechBrain eager", "f32", torch.get_num_threads(), libraries)
    return Engine(about, embed, gpu_peak_bytes)


def sherpa_campplus(config: Config) -> Engine:
    """sherpa-onnx with CAM++'s published weights, exported for it once. It has no batches."""
    own_version = _versions("sherpa-onnx")
    model = _model(config)
    made_with = "/".join(f"{k} {v}" for k, v in _versions("torch", "onnx", "onnxscript").items())
    source = hashlib.sha256(f"{model.weights_sha256}\n{made_with}".encode()).hexdigest()
    path = _store(config).models_dir / ".bench" / f"{model.card.id}.{source[:16]}.onnx"
    if not path.is_file():
        export = [sys.executable, "-m", "sidecar.tools.bench.engines.campplus_onnx"]
        if subprocess.run([*export, model.weights, path], check=False).returncode:
            raise ModelUnavailable("CAM++ could not be exported to ONNX; its output says why")
    library, threads = importlib.import_module("sherpa_onnx"), config.threads or 1
    settings = library.SpeakerEmbeddingExtractorConfig(str(path), threads, provider="cpu")
    extractor = library.SpeakerEmbeddingExtractor(settings)

    def embed(waveforms: Waveforms) -> None:
        for waveform in waveforms:
            stream = extractor.create_stream()
            stream.accept_waveform(SAMPLE_RATE_HZ, waveform)
            stream.input_finished()
            extractor.compute(stream)

    remark = "computes features of its own: its embeddings are not comparable"
    return Engine(About("sherpa-onnx", "f32", threads, own_version, remark, False), embed)


def matrix_product(config: Config) -> Engine:
    """The yardstick: torch multiplies two large matrices in f32, whatever the waveforms are."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(config.threads or torch.get_num_threads())
    torch.set_float32_matmul_precision("highest")
    a, b, product = torch.randn(3, 2048, 2048, device=config.device)

    def multiply(_: Waveforms) -> None:
        torch.mm(a, b, out=product)
        if product.is_cuda:
            torch.cuda.synchronize(product.device)

    def count_flop(n_samples: int) -> int:
        # A multiplication and an addition are two; products and convolutions count alone.
        counter = importlib.import_module("torch.utils.flop_counter").FlopCounterMode(display=False)
        found = _model(config)
        network = importlib.import_module(f"sidecar.networks.{found.card.network}")
        model = network.load(found.weights)
        with torch.inference_mode():
            features = model.frontend(torch.zeros(1, n_samples))
            with counter:
                model.network(features)
        return int(counter.get_total_flops())

    about = About("torch.mm 2048^3", "f32", torch.get_num_threads(), _versions("torch"))
    return Engine(about, multiply, count_flop=count_flop)


def _store(config: Config) -> WeightStore:
    return WeightStore(config.models_dir or default_models_dir(), offline=config.offline)


def _model(config: Config) -> InstalledModel:
    return install(config.model, find_card(config.model), _store(config))


def _versions(*packages: str) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in packages}


ENGINES = {
    "own": own_encoder,
    "speechbrain": speechbrain_eager,
    "sherpa-onnx": sherpa_campplus,
    "product": matrix_product,
}
