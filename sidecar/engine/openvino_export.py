"""A torch network as OpenVINO reads it: converted, verified, put in its place.

It needs a gigabyte or two of memory, and torch: run it in a process of its own.
"""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from protocol.errors import DeviceError
from sidecar.engine import device_check, openvino_forms, torch_runtime
from sidecar.engine.openvino_library import ov
from sidecar.engine.openvino_runtime import OpenVinoRuntime
from sidecar.networks.split import SPLITS
from sidecar.store import openvino_files
from sidecar.store.installed import InstalledModel
from sidecar.store.openvino_files import Converted, Origin

FloatArray = NDArray[np.float32]
Example = tuple[Tensor, ...]

# Two f32 computations of the same network; measured: 1 - 1e-11.
MIN_COSINE = 0.999999
N_STEPS = 5
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
        DeviceError: what OpenVINO computes is not what torch does.
        OSError: ``root`` cannot be written in.
    """
    with openvino_files.making(root, on_wait=lambda: on_progress(0, N_STEPS)) as work:
        # Another process may have made it while this one waited.
        found = openvino_files.find(root, origin)
        if found is not None:
            return found
        on_progress(0, N_STEPS)
        network = importlib.import_module(f"sidecar.networks.{installed.card.network}")
        model: Any = network.load(installed.weights)
        first, second, pads = SPLITS[installed.card.network](model)
        on_progress(1, N_STEPS)
        examples = _examples(pads=pads)
        with torch.inference_mode():
            between = [first(*example) if pads else (first(*example),) for example in examples]
        _save(first, examples, work / openvino_files.FIRST)
        on_progress(2, N_STEPS)
        _save(second, between, work / openvino_files.SECOND)
        on_progress(3, N_STEPS)
        made = Converted.within(work)
        _verify(OpenVinoRuntime(made, 1, "f32"), model, installed.card.min_duration_s)
        if not pads:
            _measure(made)
        # What was compiled here would be kept under this process's options.
        shutil.rmtree(made.compiled, ignore_errors=True)
        on_progress(4, N_STEPS)
        # Last, since it turns the model into float64.
        references = torch_runtime.reference_embeddings(model, device_check.waveforms())
        references.astype("<f8").tofile(work / openvino_files.REFERENCES)
        placed = openvino_files.place(work, root, origin)
        on_progress(N_STEPS, N_STEPS)
        return placed


def _examples(*, pads: bool) -> list[Example]:
    """Two inputs that differ in all that is free: the length, and where it pads, the batch."""
    waveforms = torch.from_numpy(device_check.waveform())[np.newaxis]
    n_samples = waveforms.shape[1]
    shorter = waveforms[:, : n_samples // 2]
    if not pads:
        return [(waveforms,), (shorter,)]
    return [
        (waveforms.repeat(2, 1), torch.tensor([n_samples, n_samples - 1000])),
        (shorter, torch.tensor([shorter.shape[1]])),
    ]


def _save(module: nn.Module, examples: Sequence[Example], path: Path) -> None:
    """Convert ``module``, which takes such inputs; dimensions in which they differ are free."""
    shapes = [
        ov.PartialShape([a if a == b else -1 for a, b in zip(one.shape, other.shape, strict=True)])
        for one, other in zip(*examples, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.trace, which OpenVINO calls, is deprecated
        model = ov.convert_model(module, example_input=examples[0], input=shapes)
    ov.save_model(model, path, compress_to_fp16=False)


def _verify(runtime: OpenVinoRuntime, model: nn.Module, min_duration_s: float) -> None:
    worst = min(
        _cosine(runtime.embed([waveform])[0], _embed(model, waveform))
        for waveform in _probes(min_duration_s)
    )
    if not worst >= MIN_COSINE:
        raise DeviceError(
            f"OpenVINO computes other embeddings than torch: cosine {worst:.8f}, at least "
            f"{MIN_COSINE} is needed; --runtime torch does without it",
            kind="self_test_failed",
        )


def _measure(made: Converted) -> None:
    """Find out in which form it is the fastest here; each form is verified by the way."""
    waveform = device_check.waveform()
    expected = OpenVinoRuntime(made, None, "f32", "convolutions").embed([waveform])[0]

    def embed_in(form: str) -> Callable[[int], None]:
        runtime = OpenVinoRuntime(made, None, "f32", form)
        if _cosine(runtime.embed([waveform])[0], expected) < MIN_COSINE:
            raise DeviceError(f"OpenVINO computes other embeddings with {form}")

        def embed(duration_s: int) -> None:
            runtime.embed([np.tile(waveform, duration_s)])

        return embed

    openvino_forms.measure_forms(made.forms, ov.Core(), embed_in)


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


def _embed(model: nn.Module, waveform: FloatArray) -> FloatArray:
    with torch.inference_mode():
        embedding: FloatArray = model(torch.from_numpy(waveform)[np.newaxis])[0].numpy()
    return embedding


def _cosine(a: FloatArray, b: FloatArray) -> float:
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    return float(a64 @ b64 / (np.linalg.norm(a64) * np.linalg.norm(b64)))
