"""Writes ``sidecar/speech/silero.onnx``: ``python tests/model/make_speech_graph.py``.

It is Silero's network without its weights, written out in products of matrices. As it was published
it has convolutions over four frames each, for which ONNX Runtime takes four times as long.

What a step goes through (shapes without the number of steps, n, which comes second, so that a frame
of all steps lies together):

1. Its four frames, folded (see ``sidecar/speech/network.py``), and their spectra.
2. Four convolutions over the frames: 4 to 4, to 2, to 1, to 1. Each is a chain of products, one for
   each frame that a tap meets, to which the next one is added.
3. The LSTM, over the steps, and a logistic regression.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sidecar.speech.network import GRAPH, WEIGHT_SHAPES

OPSET, IR_VERSION = 17, 8
N_FRAMES, HALF = 4, 128


class Graph:
    """Collects nodes; what it is given as numbers becomes a constant."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def __call__(self, kind, *inputs, **attributes):
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def apart(self, frames):
        """Each of the frames, (n, bins), of (4, n, bins)."""
        names = [f"frame_{number}" for number in range(N_FRAMES)]
        self.nodes.append(helper.make_node("Split", [frames], names, axis=0))
        return [self("Squeeze", name, [0]) for name in names]

    def convolved(self, frames, layer, first):
        """What the three frames from ``first`` on become, of which some may not exist."""
        total = f"bias_{layer}"
        for tap in range(3):
            if 0 <= first + tap < len(frames):
                total = self("Gemm", frames[first + tap], f"encoder_{layer}_{tap}", total)
        return self("Relu", total)

    def _constant(self, numbers):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name


def network():
    make = Graph()
    real = make("MatMul", "sums", "cosines")
    imaginary = make("MatMul", "differences", "sines")
    power = make("Add", make("Mul", real, real), make("Mul", imaginary, imaginary))
    frames = make.apart(make("Sqrt", power))
    four = [make.convolved(frames, "0", first - 1) for first in range(4)]
    two = [make.convolved(four, "1", first - 1) for first in (0, 2)]
    one = make.convolved([make.convolved(two, "2", -1)], "3", -1)
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
    halves = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [N_FRAMES, "n", HALF])
        for name in ("sums", "differences")
    ]
    graph = helper.make_graph(
        made.nodes,
        "silero_vad_16k_sequence",
        [*halves, *memory],
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
