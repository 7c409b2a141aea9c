"""Layers for sequences, as the same layers for maps of one row: runtimes compute these faster.

Shapes: a sequence is ``[batch, channels, n_frames]``, a map of one row ``[batch, channels, 1,
n_frames]``.
"""

from __future__ import annotations

from torch import Tensor, nn


def take_maps(network: nn.Module) -> None:
    """Replace all layers for sequences by the same ones for maps of one row, with their weights."""
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Conv1d):
                setattr(module, name, _convolution(layer))
            elif isinstance(layer, nn.BatchNorm1d):
                batchnorm = nn.BatchNorm2d(layer.num_features, layer.eps, affine=layer.affine)
                setattr(module, name, _with_state(batchnorm, layer, layer.state_dict()))


def _convolution(layer: nn.Conv1d) -> nn.Module:
    [kernel_frames], [stride], [dilation] = layer.kernel_size, layer.stride, layer.dilation
    assert layer.padding_mode == "zeros"
    assert not isinstance(layer.padding, str)
    [padding] = layer.padding
    convolution = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        (1, kernel_frames),
        stride=(1, stride),
        padding=(0, padding),
        dilation=(1, dilation),
        bias=layer.bias is not None,
    )
    state = layer.state_dict()
    state["weight"] = layer.weight.unsqueeze(-2)
    return _with_state(convolution, layer, state)


def _with_state(layer: nn.Module, replaced: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    layer.load_state_dict(state, assign=True)
    return layer.train(replaced.training).requires_grad_(requires_grad=False)
