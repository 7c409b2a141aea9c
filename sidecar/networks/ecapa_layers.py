"""The layers that ECAPA-TDNN is built of: a convolution that reflects both ends, and a TDNN block.

Shapes: a sequence is ``[batch, channels, n_frames]``; maps of one row do as well, see ``ecapa``.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks.valid_frames import ValidFrames


class Convolution(nn.Module):
    """A convolution that keeps the number of frames: both ends continue by their reflection.

    forward: ``[batch, in_channels, n_frames]`` -> ``[batch, out_channels, n_frames]``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_frames: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.reach_frames = dilation * (kernel_frames // 2)
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_frames, dilation=dilation)

    def forward(self, x: Tensor, valid: ValidFrames | None = None) -> Tensor:
        """See the class."""
        y: Tensor = self.conv(reflect_pad(x, self.reach_frames, valid))
        return y


class TdnnBlock(nn.Module):
    """A convolution over time, ReLU, BatchNorm: in this order.

    forward: ``[batch, in_channels, n_frames]`` -> ``[batch, out_channels, n_frames]``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_frames: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.conv = Convolution(in_channels, out_channels, kernel_frames, dilation)
        self.norm = batchnorm(out_channels)

    def forward(self, x: Tensor, valid: ValidFrames | None = None) -> Tensor:
        """See the class."""
        y: Tensor = self.norm(functional.relu(self.conv(x, valid)))
        return y


def batchnorm(n_channels: int) -> nn.Sequential:
    """BatchNorm, one level deep: the checkpoint names its weights ``norm.norm``."""
    return nn.Sequential(OrderedDict(norm=nn.BatchNorm1d(n_channels)))


def reflect_pad(x: Tensor, n_frames: int, valid: ValidFrames | None) -> Tensor:
    """``n_frames`` more at both ends, mirrored at the first and the last frame of an utterance.

    Where an utterance ends before the batch, its reflection overwrites what lies behind it.
    """
    if n_frames == 0:
        return x
    both_ends = (n_frames, n_frames, *(0, 0) * (x.dim() - 3))
    padded = functional.pad(x, both_ends, mode="reflect")
    if valid is not None:
        last = n_frames + valid.counts - 1  # where the last frame now is
        distance = torch.arange(1, n_frames + 1, device=x.device)
        mirrored, behind = (last + sign * distance for sign in (-1, 1))  # [batch, 1, n_frames]
        channels = (-1, x.shape[1], -1)
        reflection = padded.gather(-1, mirrored.expand(channels))
        padded.scatter_(-1, behind.expand(channels), reflection)
    return padded
