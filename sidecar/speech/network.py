"""Silero's network, written out in products of matrices: four times as fast on a CPU.

The graph (``silero.onnx``, by ``tests/model/make_speech_graph.py``, which says what it computes)
has no weights. They are read out of the file that was published, each from its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from sidecar.audio.resampling import FloatArray

GRAPH = Path(__file__).with_name("silero.onnx")
_N_BINS = 129
# In ``silero_vad_16k_sequence.onnx``: where each tensor begins, and its shape; float32.
_PLACES: Mapping[str, tuple[int, tuple[int, ...]]] = MappingProxyType(
    {
        "stft": (7021, (2 * _N_BINS, 256)),
        "encoder_0": (271249, (128, _N_BINS, 3)),
        "bias_0": (469420, (128,)),
        "encoder_1": (469967, (64, 128, 3)),
        "bias_1": (568297, (64,)),
        "encoder_2": (568587, (64, 64, 3)),
        "bias_2": (617765, (64,)),
        "encoder_3": (618056, (128, 64, 3)),
        "bias_3": (716387, (128,)),
        "output": (716929, (1, 128)),
        "output_bias": (717462, (1,)),
        "lstm_input": (717500, (1, 512, 128)),
        "lstm_recurrent": (979678, (1, 512, 128)),
        "lstm_bias": (1241851, (1, 1024)),
    }
)
# What the graph has to be given.
WEIGHT_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "cosines": (128, _N_BINS),
        "sines": (127, _N_BINS),
        "convolution_0": (_N_BINS, 3 * 128),
        "first_1": (2 * 128, 64),
        "convolution_1": (3 * 128, 64),
        "convolution_2": (2 * 64, 64),
        "convolution_3": (64, 128),
        "output": (128, 1),
    }
    | {name: shape for name, (_, shape) in _PLACES.items() if "bias" in name or "lstm" in name}
)


def weights(published: Path) -> dict[str, FloatArray]:
    """The weights as the graph takes them, out of the file ``published``, whose hash was checked.

    Raises:
        OSError: it cannot be read.
        ValueError: it is shorter than it should be.
    """
    content = published.read_bytes()
    tensors = {
        name: np.frombuffer(content, "<f4", int(np.prod(shape)), start).reshape(shape)
        for name, (start, shape) in _PLACES.items()
    }
    cosines, sines = np.split(tensors.pop("stft"), 2)
    encoders = [tensors.pop(f"encoder_{number}") for number in range(4)]
    # Kernels as (tap, input, output): a frame's channels lie together.
    taps = [encoder.transpose(2, 1, 0) for encoder in encoders]
    made = tensors | {
        "cosines": cosines[:, 1:129].T,
        "sines": sines[:, 1:128].T,
        "convolution_0": np.concatenate(list(taps[0]), axis=1),
        "first_1": np.concatenate(list(taps[1][1:])),
        "convolution_1": np.concatenate(list(taps[1])),
        # Before the first of two frames, and around the only one, there is nothing.
        "convolution_2": np.concatenate(list(taps[2][1:])),
        "convolution_3": taps[3][1],
        "output": tensors["output"].T,
    }
    return {name: np.ascontiguousarray(made[name], np.float32) for name in WEIGHT_SHAPES}
