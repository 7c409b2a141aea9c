"""Writes ``sidecar/speech/silero.onnx``: ``python tests/model/make_speech_graph.py``.

It is Silero's network without its weights, written out in products of matrices. As it was published
it has convolutions over four frames each, for which ONNX Runtime takes four times as long.

What a step goes through (shapes without the number of steps, n):

1. 64 samples that mirror its end are put behind the 576, and four frames of 256 taken, each 128
   behind the one before it.
2. Their spectra. The window and the cosines are symmetric about a frame's middle, and the sines are
   antisymmetric, so the halves of a frame are added, and subtracted, first.
3. Four convolutions over the frames: 4 to 4, to 2, to 1, to 1.
4. The LSTM, over the steps, and a logistic regression.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sidecar.speech.network import GRAPH, WEIGHT_SHAPES

OPSET, IR_VERSION = 17, 8
N_BINS, N_FRAMES, HALF = 129, 4, 128


class Graph:
    """Collects nodes; what it is given as numbers becomes a constant."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def __call__(self, kind, *inputs, **attributes):
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def cut(self, values, axis, start, end, step=1):
        return self("Slice", values, [start], [end], [axis], [step])

    def _constant(self, numbers):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name


def network():
    make = Graph()
    # The first 128 samples of each frame, and the others.
    mirrored = make.cut("input", 1, -2, -66, -1)
    blocks = make("Reshape", make("Concat", "input", mirrored, axis=1), [-1, N_FRAMES + 1, HALF])
    before, behind = make.cut(blocks, 1, 0, N_FRAMES), make.cut(blocks, 1, 1, N_FRAMES + 1)
    # Sample k of a frame and sample 256 - k; number 0 is nothing in the window, 128 the middle.
    ones, others = make.cut(before, 2, 1, HALF), make.cut(behind, 2, HALF - 1, 0, -1)
    middle = make.cut(behind, 2, 0, 1)
    even = make("Concat", make("Add", ones, others), middle, axis=2)
    real = make("MatMul", even, "cosines")
    imaginary = make("MatMul", make("Sub", ones, others), "sines")
    power = make("Add", make("Mul", real, real), make("Mul", imaginary, imaginary))
    spectra = make("Sqrt", power)
    # What each frame gives to the next one, to its own place, and to the one before.
    given = make("MatMul", spectra, "convolution_0")
    to_next = make.cut(make.cut(given, 1, 0, N_FRAMES - 1), 2, 0, 128)
    own = make("Add", make.cut(given, 2, 128, 256), "bias_0")
    to_last = make.cut(make.cut(given, 1, 1, N_FRAMES), 2, 256, 384)
    sums = make(
        "Sum",
        own,
        make("Pad", to_next, [0, 1, 0, 0, 0, 0]),
        make("Pad", to_last, [0, 0, 0, 0, 1, 0]),
    )
    four = make("Reshape", make("Relu", sums), [-1, N_FRAMES * 128])
    # Of every second place: nothing, frames 0 and 1; frames 1 to 3.
    two = make("Concat", make("Relu", make("Gemm", make.cut(four, 1, 0, 256), "first_1", "bias_1")),
               make("Relu", make("Gemm", make.cut(four, 1, 128, 512), "convolution_1", "bias_1")),
               axis=1)  # fmt: skip
    one = make("Relu", make("Gemm", two, "convolution_2", "bias_2"))
    one = make("Relu", make("Gemm", one, "convolution_3", "bias_3"))
    make.nodes.append(
        helper.make_node(
            "LSTM",
            [
                make("Unsqueeze", one, [1]),
                "lstm_input",
                "lstm_recurrent",
                "lstm_bias",
                "",
                "h",
                "c",
            ],
            ["steps", "hn", "cn"],
            hidden_size=128,
        )
    )
    steps = make("Relu", make("Reshape", "steps", [-1, 128]))
    speech = make("Sigmoid", make("Gemm", steps, "output", "output_bias"))
    make.nodes.append(helper.make_node("Reshape", [speech, make._constant([-1])], ["speech_probs"]))
    return make


def model():
    made = network()
    memory = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 128]) for name in "hc"]
    graph = helper.make_graph(
        made.nodes,
        "silero_vad_16k_sequence",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 576]), *memory],
        [
            helper.make_tensor_value_info("speech_probs", TensorProto.FLOAT, ["n"]),
            *(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 128])
                for name in ("hn", "cn")
            ),
        ],
        [*made.constants, *(given(name, shape) for name, shape in WEIGHT_SHAPES.items())],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )


def given(name, shape):
    """A tensor that lies elsewhere: whoever loads the graph gives it."""
    tensor = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="given")
    return tensor


if __name__ == "__main__":
    GRAPH.write_bytes(model().SerializeToString(deterministic=True))
    print(f"{GRAPH}: {GRAPH.stat().st_size:,} bytes")
