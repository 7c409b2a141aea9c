"""Silero's network, written out in products of matrices: four times as fast on a CPU.

The graph (``silero.onnx``, by ``tests/model/make_speech_graph.py``, which says what it computes)
has no weights. They are read out of the file that was published, each from its place. What the
graph takes are not samples, but the frames of their spectra, folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from sidecar.audio.resampling import FloatArray

GRAPH = Path(__file__).with_name("silero.onnx")
_N_BINS = 129
# Of each step, as many frames of its spectrum, each half a frame behind the one before it.
_N_FRAMES, _HALF_SAMPLES = 4, 128
# So many samples at a step's end are mirrored behind it.
_MIRRORED = 64
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
# The taps of a kernel that ever meet a frame: before the first and behind the last is nothing.
_TAPS = ((0, 1, 2), (0, 1, 2), (1, 2), (1,))
# What the graph has to be given.
WEIGHT_SHAPES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"cosines": (_HALF_SAMPLES, _N_BINS), "sines": (_HALF_SAMPLES, _N_BINS), "output": (128, 1)}
    | {
        f"encoder_{layer}_{tap}": _PLACES[f"encoder_{layer}"][1][1::-1]
        for layer, taps in enumerate(_TAPS)
        for tap in taps
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
    made = tensors | {
        f"encoder_{layer}_{tap}": tensors[f"encoder_{layer}"][:, :, tap].T
        for layer, taps in enumerate(_TAPS)
        for tap in taps
    }
    made |= {
        "cosines": cosines[:, 1 : _HALF_SAMPLES + 1].T.copy(),
        "sines": sines[:, 1 : _HALF_SAMPLES + 1].T,
    }
    made["cosines"][-1] /= 2  # the middle of a frame is folded onto itself
    made["output"] = tensors["output"].T
    return {name: np.ascontiguousarray(made[name], np.float32) for name in WEIGHT_SHAPES}


def folded(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The frames of each step, the second half of each folded onto the first.

    The window and the cosines are symmetric about the middle of a frame, sample 128, and the sines
    are antisymmetric; sample 0 is nothing in the window. So of the samples 128 - k and 128 + k, the
    sum is all that the cosines need, and the difference all that the sines do.

    Args:
        steps: each with the end of the one before it, shape (n_steps, 576).

    Returns:
        The sums and the differences, for k from 127 down to 0, of each frame: both of the shape
        (4, n_steps, 128).
    """
    sums, differences = np.empty((2, _N_FRAMES, len(steps), _HALF_SAMPLES), np.float32)
    # Backwards, it is added fast.
    back = np.ascontiguousarray(steps[:, ::-1])
    n_samples = steps.shape[1]
    for frame in range(_N_FRAMES):
        start = frame * _HALF_SAMPLES
        middle = start + _HALF_SAMPLES
        before = steps[:, start + 1 : middle + 1]
        behind = back[:, max(0, n_samples - middle - _HALF_SAMPLES) : n_samples - middle]
        if behind.shape[1] < _HALF_SAMPLES:
            behind = np.concatenate((steps[:, -_MIRRORED - 1 : -1], behind), axis=1)
        np.add(before, behind, out=sums[frame])
        np.subtract(before, behind, out=differences[frame])
    return sums, differences
