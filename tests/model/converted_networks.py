"""Networks converted for one of the CPU's runtimes, and what compares them with torch's own."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np

from sidecar.store import converted_files
from sidecar.store.catalog import MODELS
from sidecar.store.installed import InstalledModel, find_card, fingerprint

MIN_COSINE = 0.999999
LENGTHS = [720, 800, 1111, 1600, 7999, 16_000, 16_001, 23_456, 48_000, 79_999, 160_000, 320_123]


def converted_network(request, root, runtime, version):
    """The network of ``request.param`` in torch, the same converted, and where that lies."""
    from sidecar.engine.conversion import convert
    from sidecar.engine.loading import converted_origin

    if request.param == "ecapa":
        folder = request.getfixturevalue("ecapa_folder")
        weights, card = folder / "embedding_model.ckpt", find_card(str(folder))
    else:
        weights, card = request.getfixturevalue("campplus_weights"), MODELS["campplus-zh-en"]
    sha256 = converted_files.sha256_of(weights)
    origin = converted_origin(fingerprint(card, sha256, card.recipe), runtime, version)
    steps = []
    made = convert(
        InstalledModel(card, weights, sha256), root, origin, lambda *step: steps.append(step)
    )
    return SimpleNamespace(
        name=request.param,
        torch=importlib.import_module(f"sidecar.networks.{card.network}").load(weights),
        converted=made,
        found=converted_files.find(root, origin),
        steps=steps,
    )


def noise(n_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n_samples).astype(np.float32)


def with_torch(model, waveform):
    import torch

    with torch.inference_mode():
        return model.torch(torch.from_numpy(waveform)[None])[0].numpy()


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)
