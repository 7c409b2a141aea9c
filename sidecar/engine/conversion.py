"""A torch network as one of the CPU's runtimes reads it: converted, verified, put in its place.

It needs a gigabyte or two of memory, and torch: run it in a process of its own.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from protocol.errors import DeviceError
from sidecar.config import Precision
from sidecar.engine import device_check, torch_runtime
from sidecar.engine.runtime import Runtime
from sidecar.networks.eight_bits import with_8_bits
from sidecar.store import converted_files
from sidecar.store.converted_files import Converted, Origin
from sidecar.store.installed import InstalledModel

FloatArray = NDArray[np.float32]

# Two f32 computations of the same network; measured: 1 - 1e-11. In int8: 0.99963 for the shortest
# noise, 0.99983 from half a second on.
MIN_COSINE: dict[Precision, float] = {"f32": 0.999999, "int8": 0.999}
N_STEPS = 5
_EXPORTERS = {
    "onnxruntime": "sidecar.engine.onnx_export",
    "openvino": "sidecar.engine.openvino_export",
}
_DURATIONS_S = (0.1, 0.5, 1.0, 1.2345, 3.0, 7.77)
_SEED = 0


def convert(
    installed: InstalledModel,
    root: Path,
    origin: Origin,
    on_progress: Callable[[int, int], None],
) -> Converted:
    """The model, converted into its place below ``root``, unless it lies there already.

    Safe in several processes at once: one converts, the others wait and use what it made.
    ``on_progress`` is called with the steps done and N_STEPS, and while it waits.

    Raises:
        ModelUnavailable: the weights do not fit the network.
        DeviceError: what the runtime computes is not what torch does.
        OSError: ``root`` cannot be written in.
    """
    with converted_files.making(root, on_wait=lambda: on_progress(0, N_STEPS)) as work:
        # Another process may have made it while this one waited.
        found = converted_files.find(root, origin)
        if found is not None:
            return found
        steps = iter(range(1, N_STEPS))
        on_progress(0, N_STEPS)
        exporter = importlib.import_module(_EXPORTERS[origin.runtime])
        network = installed.card.network
        model: Any = importlib.import_module(f"sidecar.networks.{network}").load(installed.weights)
        arranged = with_8_bits(model) if origin.precision == "int8" else model
        runtime = exporter.export(
            arranged, network, work, lambda: on_progress(next(steps), N_STEPS)
        )
        on_progress(next(steps), N_STEPS)
        _verify(runtime, model, installed.card.min_duration_s, MIN_COSINE[origin.precision])
        # What was compiled here would be kept under this process's options.
        shutil.rmtree(Converted.within(work).compiled, ignore_errors=True)
        on_progress(next(steps), N_STEPS)
        # Last, since it turns the model into float64.
        references = torch_runtime.reference_embeddings(model, device_check.waveforms())
        references.astype("<f8").tofile(work / converted_files.REFERENCES)
        placed = converted_files.place(work, root, origin)
        on_progress(N_STEPS, N_STEPS)
        return placed


def _verify(
    runtime: Runtime, model: torch.nn.Module, min_duration_s: float, min_cosine: float
) -> None:
    worst = min(
        _cosine(runtime.embed([waveform])[0], _embed(model, waveform))
        for waveform in _probes(min_duration_s)
    )
    if not worst >= min_cosine:
        raise DeviceError(
            f"{runtime.name} computes other embeddings than torch: cosine {worst:.8f}, at least "
            f"{min_cosine} is needed; --runtime torch does without it",
            kind="self_test_failed",
        )


def _probes(min_duration_s: float) -> list[FloatArray]:
    """Something like a voice, and noise, of several lengths from the shortest on."""
    voice = device_check.waveform()
    random = np.random.default_rng(_SEED)
    probes: list[FloatArray] = []
    for duration_s in (min_duration_s, *_DURATIONS_S):
        n_samples = round(duration_s * len(voice))
        probes.append(np.resize(voice, n_samples))
        probes.append(random.normal(0, 0.1, n_samples).astype(np.float32))
    return probes


def _embed(model: torch.nn.Module, waveform: FloatArray) -> FloatArray:
    with torch.inference_mode():
        embedding: FloatArray = model(torch.from_numpy(waveform)[np.newaxis])[0].numpy()
    return embedding


def _cosine(a: FloatArray, b: FloatArray) -> float:
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    return float(a64 @ b64 / (np.linalg.norm(a64) * np.linalg.norm(b64)))
