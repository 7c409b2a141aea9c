"""Each network as one function of the waveform, arranged for ONNX Runtime on the CPU.

What is computed is the network's function; some of the weights are arranged in another way, so that
less has to be done. There are no masks: the utterances of a batch are of one length.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sidecar.networks import campplus, ecapa
from sidecar.networks.split import EcapaSecond


class WholeNetwork(NamedTuple):
    """``module``: waveforms ``[batch, n_samples]`` -> embeddings ``[batch, dim]``.

    ``batches``: whether ``batch`` may be more than one.
    """

    module: nn.Module
    batches: bool


def of_ecapa(model: ecapa.EcapaTdnn) -> WholeNetwork:
    """On maps of one row, which ONNX Runtime convolves a tenth faster than sequences.

    Its layers are large enough for every core, so that a batch would win nothing.
    """
    return WholeNetwork(nn.Sequential(model.frontend, EcapaSecond(model)), batches=False)


def of_campplus(model: campplus.CamPlusPlus) -> WholeNetwork:
    """With a single step before each convolution, where the network has a BatchNorm and a ReLU."""
    arranged = copy.deepcopy(model)
    for module in list(arranged.modules()):
        if isinstance(module, campplus.DTdnnLayer):
            limit, convolution = _limited(module.nonlinear1, module.linear1)
            module.add_module("nonlinear1", limit)
            module.add_module("linear1", convolution)
        elif isinstance(module, campplus.TransitionLayer):
            limit, convolution = _limited(module.nonlinear, module.linear)
            module.add_module("nonlinear", limit)
            module.add_module("linear", convolution)
    return WholeNetwork(arranged, batches=True)


WHOLE: dict[str, Callable[..., WholeNetwork]] = {"campplus": of_campplus, "ecapa": of_ecapa}


class Limit(nn.Module):
    """Each channel limited to its ``lowest`` from below, or to its ``highest`` from above.

    forward: ``[batch, n_channels, n_frames]`` -> the same.
    """

    lowest: Tensor
    highest: Tensor | None

    def __init__(self, lowest: Tensor, highest: Tensor) -> None:
        super().__init__()
        self.register_buffer("lowest", lowest[:, None])
        self.register_buffer("highest", highest[:, None] if highest.isfinite().any() else None)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = x.maximum(self.lowest)
        return x if self.highest is None else x.minimum(self.highest)


@torch.no_grad()
def _limited(batchnorm_relu: nn.Sequential, convolution: nn.Conv1d) -> tuple[Limit, nn.Conv1d]:
    """A limit and a convolution of one frame that do what these two do.

    relu(a x + b) = a limit(x) + b, where the limit is -b / a, from below if a > 0, from above if
    a < 0. The convolution's weights take a, and its bias b.
    """
    batchnorm = batchnorm_relu.get_submodule("batchnorm")
    assert isinstance(batchnorm, nn.BatchNorm1d)
    mean, variance = batchnorm.running_mean, batchnorm.running_var
    assert mean is not None
    assert variance is not None
    scale = batchnorm.weight.double() / (variance.double() + batchnorm.eps).sqrt()
    shift = batchnorm.bias.double() - mean.double() * scale
    at = -shift / scale
    # A channel without a scale is the same everywhere, whatever its limit.
    lowest = torch.where(scale > 0, at, -torch.inf)
    highest = torch.where(scale < 0, at, torch.inf)
    constant = torch.where(scale == 0, shift.relu(), shift)
    weight = convolution.weight.double()[..., 0]
    dtype = convolution.weight.dtype
    limited = nn.Conv1d(convolution.in_channels, convolution.out_channels, 1, dtype=dtype)
    assert limited.bias is not None
    limited.weight.copy_((weight * scale)[..., None])
    limited.bias.copy_(weight @ constant)
    limit = Limit(lowest.to(dtype), highest.to(dtype))
    return limit.eval(), limited.requires_grad_(requires_grad=False)
