"""A torch network as OpenVINO reads it, in two parts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sidecar.engine import device_check
from sidecar.engine.openvino_library import ov
from sidecar.engine.openvino_runtime import OpenVinoRuntime
from sidecar.networks.split import SPLITS
from sidecar.store.converted_files import Converted

Example = tuple[Tensor, ...]


def export(
    model: nn.Module, network: str, folder: Path, on_step: Callable[[], None]
) -> OpenVinoRuntime:
    """Write ``model``, a network of that name in torch, into ``folder``, and open what was written.

    ``on_step`` is called before each of two steps.
    """
    on_step()
    first, second, pads = SPLITS[network](model)
    examples = _examples(pads=pads)
    with torch.inference_mode():
        between = [first(*example) if pads else (first(*example),) for example in examples]
    made = Converted.within(folder)
    _save(first, examples, made.first)
    on_step()
    _save(second, between, made.second)
    return OpenVinoRuntime(made, 1, "f32")


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
