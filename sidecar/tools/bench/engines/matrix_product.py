"""The yardstick: how fast torch multiplies large matrices here, and what a network asks for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from sidecar.config import Config
from sidecar.store.installed import find_card, install
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.bench.engines.engine import About, FloatArray, versions

SIZE = 2048
FLOP = 2 * SIZE**3


class MatrixProduct:
    """See ``Engine``: in place of an embedding it multiplies two 2048 x 2048 matrices in f32."""

    def __init__(self, config: Config) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.set_float32_matmul_precision("highest")
        self._config = config
        device = torch.device(config.device)
        self._a, self._b = (torch.randn(SIZE, SIZE, device=device) for _ in range(2))
        self._product = torch.empty_like(self._a)
        self.about = About(
            runtime=f"torch.mm {SIZE}^3",
            precision="f32",
            threads=torch.get_num_threads(),
            versions=versions("torch"),
        )

    def embed(self, waveforms: Sequence[FloatArray]) -> None:
        """One product, whatever ``waveforms`` are."""
        del waveforms
        torch.mm(self._a, self._b, out=self._product)
        if self._product.is_cuda:
            torch.cuda.synchronize(self._product.device)

    def gpu_peak_bytes(self) -> int | None:
        """See ``Engine``; not asked for."""
        return None

    def count_flop(self, n_samples: Sequence[int]) -> list[int]:
        """Floating-point operations of the network, features apart, for each length.

        A multiplication and an addition count as two; products and convolutions count alone.
        """
        card = find_card(self._config.model)
        store = WeightStore(
            self._config.models_dir or default_models_dir(), offline=self._config.offline
        )
        weights = install(self._config.model, card, store).weights
        model = importlib.import_module(f"sidecar.networks.{card.network}").load(weights)
        counts = []
        for n in n_samples:
            with torch.inference_mode():
                features = model.frontend(torch.zeros(1, n))
                with FlopCounterMode(display=False) as counter:
                    model.network(features)
            counts.append(int(counter.get_total_flops()))
        return counts


def open_engine(config: Config) -> MatrixProduct:
    """The yardstick on the device and the threads of ``config``."""
    return MatrixProduct(config)
