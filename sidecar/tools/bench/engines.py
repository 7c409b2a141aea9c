"""What an engine is, and those there are.

Each is opened in a process of its own, and imports its libraries there alone: what the others need
is not to count as its memory, nor as its start.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil

from sidecar.audio.waveform import Waveform
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.store.installed import InstalledModel, find_card, install
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.bench.plan import Call, Turn, Waveforms
from sidecar.tools.matrix_product import count_flop, product_on


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

    ``count_flop``: the network's operations for so many samples; the yardstick alone counts them.
    """

    about: About
    embed: Callable[[Waveforms], None]
    device: str | None = "cpu"
    count_flop: Callable[[int], int] | None = None

    def take(self, turn: Turn) -> list[Call]:
        """The turn's timed calls. Nothing queues here."""
        return replace(turn, in_flight=1).timed(self.embed)

    def memory(self) -> dict[str, int | None]:
        """Bytes of this process: resident, and the most that torch's allocator held on the GPU."""
        gpu = None
        if self.device != "cpu":
            gpu = importlib.import_module("torch").cuda.max_memory_reserved(self.device)
        return {"rss": psutil.Process().memory_info().rss, "gpu": gpu}


def own_encoder(config: Config) -> Engine:
    """The encoder that ``serve`` would open: what the sidecar is without its wire."""
    backend = SpeechEngine(config)
    backend.import_libraries()
    encoder = backend.open(lambda _: None, lambda: False)
    device, limits = encoder.device, encoder.batch_limits

    def embed(waveforms: Waveforms) -> None:
        # Batches, of equal lengths here, are cut as the server cuts them.
        n_together = max(1, min(limits.max_items, limits.max_padded_samples // len(waveforms[0])))
        for start in range(0, len(waveforms), n_together):
            encoder.embed([Waveform(one) for one in waveforms[start : start + n_together]])

    about = About(device.runtime, device.precision, device.threads)
    return Engine(about, embed, device.selected)


def speechbrain_eager(config: Config) -> Engine:
    """SpeechBrain's own pipeline on the same checkpoint, as its documentation runs it."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(config.threads)
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

    versions = {name: version(name) for name in ("speechbrain", "torch", "torchaudio")}
    about = About("SpeechBrain eager", "f32", config.threads, versions)
    return Engine(about, embed, config.device)


def sherpa_campplus(config: Config) -> Engine:
    """sherpa-onnx with CAM++'s published weights. It has no batches."""
    path = campplus_for_sherpa(config)
    library = importlib.import_module("sherpa_onnx")
    settings = library.SpeakerEmbeddingExtractorConfig(str(path), config.threads, provider="cpu")
    extractor = library.SpeakerEmbeddingExtractor(settings)

    def embed(waveforms: Waveforms) -> None:
        for waveform in waveforms:
            stream = extractor.create_stream()
            stream.accept_waveform(SAMPLE_RATE_HZ, waveform)
            stream.input_finished()
            extractor.compute(stream)

    remark = "computes features of its own: its embeddings are not comparable"
    versions = {"sherpa-onnx": version("sherpa-onnx")}
    return Engine(About("sherpa-onnx", "f32", config.threads, versions, remark, False), embed)


def campplus_for_sherpa(config: Config) -> Path:
    """The model of ``config``, which is CAM++, as sherpa-onnx reads it: exported once."""
    model = _model(config)
    source = f"{model.weights_sha256[:16]}.torch-{version('torch')}"
    path = _store(config).models_dir / ".bench" / f"{model.card.id}.{source}.onnx"
    if not path.is_file():  # that takes torch, so at the first start, which does not count
        export_campplus(model.weights, path)
    return path


def export_campplus(weights: Path, path: Path) -> None:
    """Write the network at ``weights``, features to embedding, to ``path``: whole or not at all.

    Input ``[1, n_frames, 80]`` of any length, output ``[1, 192]``.
    """
    onnx, torch = importlib.import_module("onnx"), importlib.import_module("torch")
    network = importlib.import_module("sidecar.networks.campplus").load(weights).network
    example, sizes = (torch.randn(1, 345, 80),), ({1: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(network, example, dynamo=True, dynamic_shapes=sizes, verbose=False)
    model = program.model_proto
    # By these sherpa-onnx knows a 3D-Speaker model: samples stay in [-1, 1], and the features'
    # mean is subtracted.
    metadata = {
        "framework": "3d-speaker",
        "output_dim": "192",
        "sample_rate": str(SAMPLE_RATE_HZ),
        "normalize_samples": "1",
        "feature_normalize_type": "global-mean",
        "language": "Chinese-English",
    }
    onnx.helper.set_model_props(model, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    onnx.save(model, unfinished)
    unfinished.replace(path)


def matrix_product(config: Config) -> Engine:
    """The yardstick: torch multiplies two large matrices in f32, whatever the waveforms are."""
    multiply = product_on(config.device, config.threads)

    def count(n_samples: int) -> int:
        found = _model(config)
        network = importlib.import_module(f"sidecar.networks.{found.card.network}")
        return count_flop(network.load(found.weights), n_samples)

    about = About("torch.mm", "f32", config.threads)
    return Engine(about, lambda _: multiply(), count_flop=count)


def _store(config: Config) -> WeightStore:
    return WeightStore(config.models_dir or default_models_dir(), offline=config.offline)


def _model(config: Config) -> InstalledModel:
    return install(config.model, find_card(config.model), _store(config))


ENGINES = {
    "own": own_encoder,
    "speechbrain": speechbrain_eager,
    "sherpa-onnx": sherpa_campplus,
    "product": matrix_product,
}
