"""CAM++ arranged for ONNX Runtime on the CPU: on maps of one row, where it has sequences.

On x86-64, ONNX Runtime keeps maps in blocks of channels, as wide as the CPU's registers, from one
convolution to the next. Its convolutions of sequences are products, for which it rearranges their
input anew each time, and only ten seconds of audio or more make those large enough. Blocks go
through layers of a few kinds: convolutions, BatchNorms, ReLUs and concatenations are among them,
the product with a mask is not.

Shapes: a map is ``[batch, channels, frequency, n_frames]``, a map of one row ``[batch, channels, 1,
n_frames]``.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from sidecar.networks import campplus
from sidecar.networks.campplus_context import Context, context_of, statistics_pooling
from sidecar.networks.maps import take_maps


class CamPlusPlusOfMaps(nn.Module):
    """The network's function; nothing is padded, as the utterances of a batch are of one length.

    forward: waveforms ``[batch, n_samples]`` -> embeddings ``[batch, 192]``.
    """

    def __init__(self, model: campplus.CamPlusPlus) -> None:
        super().__init__()
        arranged = copy.deepcopy(model)
        self.frontend = arranged.frontend
        self.head = arranged.network.head
        self.backbone = arranged.network.xvector
        for name, part in self.backbone.named_children():
            if name != "dense":
                take_maps(part)
        for module in list(self.backbone.modules()):
            if isinstance(module, campplus.DTdnnLayer):
                module.add_module("cam_layer", MaskingOfMaps(module.cam_layer))
        self.train(model.training)

    def forward(self, waveforms: Tensor) -> Tensor:
        """See the class."""
        sequence = self.head(self.frontend(waveforms), None)
        x = self.backbone.tdnn(sequence.unsqueeze(-2))
        context = context_of(x.squeeze(-2), None)
        x = self.backbone.blocks(x, None, context).squeeze(-2)
        embeddings: Tensor = self.backbone.dense(statistics_pooling(x, None))
        return embeddings


class MaskingOfMaps(nn.Module):
    """CAM++'s masking; what was masked goes through a convolution that changes nothing.

    That puts it into blocks. Otherwise what it is concatenated with would be rearranged instead.

    forward: ``[batch, 128, 1, n_frames]`` -> ``[batch, 32, 1, n_frames]``.
    """

    def __init__(self, masking: campplus.ContextAwareMasking) -> None:
        super().__init__()
        self.masking = masking
        n_channels = campplus.GROWTH_CHANNELS
        self.unchanged = nn.Conv2d(n_channels, n_channels, 1, groups=n_channels, bias=False)
        self.unchanged.weight = nn.Parameter(
            torch.ones_like(self.unchanged.weight, dtype=masking.linear1.weight.dtype),
            requires_grad=False,
        )

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """See the class."""
        y: Tensor = self.unchanged(self.masking(x, context))
        return y
