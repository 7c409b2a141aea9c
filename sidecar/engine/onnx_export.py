"""A torch network as ONNX Runtime reads it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sidecar.engine import device_check
from sidecar.engine.onnx_runtime import OnnxRuntime
from sidecar.networks.whole import WHOLE
from sidecar.store.converted_files import ONNX_OPSET, Converted


def export(
    model: nn.Module, network: str, folder: Path, on_step: Callable[[], None]
) -> OnnxRuntime:
    """Write ``model``, a network of that name in torch, into ``folder``, and open what was written.

    ``on_step`` is called before each of two steps.
    """
    on_step()
    module, batches = WHOLE[network](model)
    waveform = torch.from_numpy(device_check.waveform())[np.newaxis]
    free = {0: "batch", 1: "n_samples"} if batches else {1: "n_samples"}
    made = Converted.within(folder)
    with warnings.catch_warnings():
        # The newer exporter takes ten times as long, and makes a graph that is a little slower.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (waveform.repeat(2, 1) if batches else waveform,),
            str(made.network),
            dynamo=False,
            opset_version=ONNX_OPSET,
            input_names=["waveforms"],
            output_names=["embeddings"],
            dynamic_axes={"waveforms": free, "embeddings": {0: "batch"} if batches else {}},
        )
    on_step()
    return OnnxRuntime(made, 1)
