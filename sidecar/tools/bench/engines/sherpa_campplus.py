"""sherpa-onnx with CAM++: the published weights, exported for it once.

Its embeddings are not this project's: it computes features of its own from the same audio.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocol.errors import ModelUnavailable
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.store.installed import InstalledModel, find_card, install
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.bench.engines.engine import About, FloatArray, versions

REMARK = "computes features of its own: its embeddings are not comparable"


class SherpaCampplus:
    """See ``Engine``. It has no batches."""

    def __init__(self, model: Path, threads: int) -> None:
        library: Any = importlib.import_module("sherpa_onnx")
        self._extractor = library.SpeakerEmbeddingExtractor(
            library.SpeakerEmbeddingExtractorConfig(
                model=str(model), num_threads=threads, provider="cpu"
            )
        )
        self.about = About(
            runtime="sherpa-onnx",
            precision="f32",
            threads=threads,
            versions=versions("sherpa-onnx"),
            remark=REMARK,
            takes_batches=False,
        )

    def embed(self, waveforms: Sequence[FloatArray]) -> None:
        """See ``Engine``."""
        for waveform in waveforms:
            stream = self._extractor.create_stream()
            stream.accept_waveform(SAMPLE_RATE_HZ, waveform)
            stream.input_finished()
            self._extractor.compute(stream)

    def gpu_peak_bytes(self) -> int | None:
        """See ``Engine``."""
        return None


def open_engine(config: Config) -> SherpaCampplus:
    """sherpa-onnx with the model of ``config``, exported if it is not yet.

    Raises:
        ModelUnavailable: no CAM++, or the export failed.
        ImportError: sherpa-onnx or onnx is not installed.
    """
    importlib.metadata.version("sherpa-onnx")
    models_dir = config.models_dir or default_models_dir()
    store = WeightStore(models_dir, offline=config.offline)
    model = install(config.model, find_card(config.model), store)
    path = models_dir / ".bench" / _name(model)
    if not path.is_file():
        # In a process of its own, so that torch's memory does not count as sherpa-onnx's.
        export = multiprocessing.get_context("spawn").Process(
            target=_export, args=(model.weights, path)
        )
        export.start()
        export.join()
        if export.exitcode:
            raise ModelUnavailable("CAM++ could not be exported to ONNX; its output says why")
    return SherpaCampplus(path, config.threads or 1)


def _name(model: InstalledModel) -> str:
    made_with = "/".join(f"{k} {v}" for k, v in versions("torch", "onnx", "onnxscript").items())
    source = hashlib.sha256(f"{model.weights_sha256}\n{made_with}".encode()).hexdigest()
    return f"{model.card.id}.{source[:16]}.onnx"


def _export(weights: Path, path: Path) -> None:
    campplus_onnx = importlib.import_module("sidecar.tools.bench.engines.campplus_onnx")
    campplus_onnx.export(weights, path)
