"""CAM++ as an ONNX file with the metadata by which sherpa-onnx knows a 3D-Speaker model."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import onnx
import torch

from sidecar.networks import campplus

# What sherpa-onnx reads in it: samples stay in [-1, 1], and the features' mean is subtracted.
METADATA = {
    "framework": "3d-speaker",
    "output_dim": str(campplus.EMBEDDING_DIM),
    "sample_rate": str(campplus.SAMPLE_RATE_HZ),
    "normalize_samples": "1",
    "feature_normalize_type": "global-mean",
    "language": "Chinese-English",
    "comment": "campplus-zh-en",
}


def export(weights: Path, path: Path) -> None:
    """Write the network at ``weights``, features to embedding, to ``path``: whole or not at all.

    Input ``[1, n_frames, 80]`` of any length, output ``[1, 192]``.
    """
    program = torch.onnx.export(
        campplus.load(weights).network,
        (torch.randn(1, 345, 80),),
        dynamo=True,
        dynamic_shapes=({1: torch.export.Dim.DYNAMIC},),
        input_names=["features"],
        output_names=["embedding"],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, METADATA)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        onnx.save(model, unfinished)
        unfinished.replace(path)


if __name__ == "__main__":
    export(*map(Path, sys.argv[1:]))
