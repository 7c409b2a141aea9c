"""The segmentation network as ONNX Runtime reads it: converted, verified, put in its place.

It needs torch: run it in a process of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sidecar.engine.segmentation import Segmenter, probes
from sidecar.networks import segmentation
from sidecar.store import converted_files
from sidecar.store.converted_files import ONNX_OPSET, Converted, Origin

N_STEPS = 3


def convert(
    weights: Path, root: Path, origin: Origin, on_progress: Callable[[int, int], None]
) -> Converted:
    """The network with ``weights``, in its place below ``root``, unless it lies there already.

    Raises and tells as ``conversion.convert`` does.
    """
    with converted_files.making(root, on_wait=lambda: on_progress(0, N_STEPS)) as work:
        found = converted_files.find(root, origin)  # another process may have made it meanwhile
        if found is not None:
            return found
        on_progress(0, N_STEPS)
        network = segmentation.load(weights)
        chunks = torch.from_numpy(np.stack(probes()))
        made = Converted.within(work)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # see ``onnx_export``
            torch.onnx.export(
                network,
                (chunks[:1],),
                str(made.network),
                dynamo=False,
                opset_version=ONNX_OPSET,
                input_names=["waveforms"],
                output_names=["log_probabilities"],
            )
        on_progress(1, N_STEPS)
        with torch.inference_mode():
            heard = network.double()(chunks.double()).numpy()
        heard.astype("<f8").tofile(work / converted_files.REFERENCES)
        on_progress(2, N_STEPS)
        Segmenter(made)  # which compares them
        placed = converted_files.place(work, root, origin)
        on_progress(N_STEPS, N_STEPS)
        return placed
