"""SpeechBrain's own pipeline, as its documentation runs it: eager, on the same checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sidecar.config import Config
from sidecar.networks.speechbrain_parity import speechbrain_encoder
from sidecar.store.installed import find_card
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.bench.engines.engine import About, FloatArray, versions


class SpeechBrainEager:
    """See ``Engine``. A batch is of equal lengths: its padded batches are not exact."""

    def __init__(self, folder: Path, config: Config) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        self._device = torch.device(config.device)
        self._encoder = speechbrain_encoder(folder, config.device)
        self.about = About(
            runtime="SpeechBrain eager",
            precision="f32",
            threads=torch.get_num_threads(),
            versions=versions("speechbrain", "torch", "torchaudio"),
        )

    def embed(self, waveforms: Sequence[FloatArray]) -> None:
        """See ``Engine``."""
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(waveforms)).to(self._device)
            self._encoder.encode_batch(batch).cpu().numpy()

    def gpu_peak_bytes(self) -> int | None:
        """See ``Engine``."""
        if self._device.type == "cpu":
            return None
        return torch.cuda.max_memory_reserved(self._device)


def open_engine(config: Config) -> SpeechBrainEager:
    """SpeechBrain with the model of ``config``; raises ``ModelUnavailable`` or ``ImportError``."""
    card = find_card(config.model)
    folder = Path(config.model)
    if card.files:
        store = WeightStore(config.models_dir or default_models_dir(), offline=config.offline)
        folder = next(iter(store.ensure(card).values())).parent
    return SpeechBrainEager(folder, config)
