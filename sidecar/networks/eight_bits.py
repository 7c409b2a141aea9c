"""ECAPA-TDNN with its largest convolution, half of the network's work, in 8 bits.

What comes in is rounded to 256 steps between the least and the largest value of the utterance at
hand, as ONNX's ``DynamicQuantizeLinear`` says (https://onnx.ai/onnx/operators); the weights are
rounded to 129 steps for each channel that goes out. The products are whole numbers and exact.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks import ecapa

_LARGEST = "network.mfa.conv.conv"
# One bit less than there is. A CPU without VNNI adds two products in 16 bits, and would cut off
# what does not fit: 2 * 255 * 64 does. So the product is the same on every CPU.
_MAX_WEIGHT = 64
_STEPS = 255
_FLOAT = 1  # of ONNX's data types


def with_8_bits(model: ecapa.EcapaTdnn) -> ecapa.EcapaTdnn:
    """The same, with that convolution for maps of one row, of one utterance at a time."""
    rounded = copy.deepcopy(model)
    around, _, name = _LARGEST.rpartition(".")
    convolution = rounded.get_submodule(_LARGEST)
    assert isinstance(convolution, nn.Conv1d)
    setattr(rounded.get_submodule(around), name, EightBitConvolution(convolution))
    return rounded


class EightBitConvolution(nn.Module):
    """A convolution of one frame as a product of 8-bit numbers.

    forward: ``[1, in_channels, 1, n_frames]`` -> ``[1, out_channels, 1, n_frames]``.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, convolution: nn.Conv1d) -> None:
        super().__init__()
        assert convolution.bias is not None
        weight = convolution.weight.detach()[..., 0]
        scale = weight.abs().amax(dim=1) / _MAX_WEIGHT
        steps = (weight / scale[:, None]).round().to(torch.int8)
        self.register_buffer("weight", steps.t().contiguous())  # [in_channels, out_channels]
        self.register_buffer("scale", scale)
        self.register_buffer("bias", convolution.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = _Product.apply(x, self.weight, self.scale, self.bias)
        return y


class _Value(Protocol):
    """What an operator gives, in a graph of ONNX; the several of one that gives several."""

    def __iter__(self) -> Iterator[_Value]: ...


class _Graph(Protocol):
    def op(self, operator: str, *inputs: _Value, **attributes: object) -> _Value: ...


class _Product(torch.autograd.Function):
    """What torch computes, and as which of ONNX's operators it is written."""

    @staticmethod
    def forward(_: object, x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        lowest, highest = x.amin().clamp(max=0), x.amax().clamp(min=0)
        step = (highest - lowest) / _STEPS
        zero = (-lowest / step).round()
        steps = ((x / step).round() + zero).clamp(0, _STEPS) - zero
        y = functional.conv2d(steps, weight.float().t()[..., None, None])
        return y * (step * scale)[:, None, None] + bias[:, None, None]

    @staticmethod
    def symbolic(g: _Graph, x: _Value, weight: _Value, scale: _Value, bias: _Value) -> _Value:
        row = g.op("Constant", value_t=torch.tensor([2]))
        steps, step, zero = g.op("DynamicQuantizeLinear", x, outputs=3)
        frames = g.op("Transpose", g.op("Squeeze", steps, row), perm_i=[0, 2, 1])
        # ONNX Runtime does the four as one.
        y = g.op("Cast", g.op("MatMulInteger", frames, weight, zero), to_i=_FLOAT)
        y = g.op("Add", g.op("Mul", y, g.op("Mul", step, scale)), bias)
        return g.op("Unsqueeze", g.op("Transpose", y, perm_i=[0, 2, 1]), row)
