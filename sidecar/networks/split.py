"""Each network split in two, for a runtime that may compute the second part with fewer bits.

The first part is always computed in f32. Both together are the network's function, but the second
one's weights may be arranged in another way. Both are for the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sidecar.networks import campplus, ecapa
from sidecar.networks.kaldi_fbank import count_frames
from sidecar.networks.maps import take_maps


class SplitNetwork(NamedTuple):
    """``second(first(...))`` is the embedding.

    ``pads``: they take utterances of several lengths, zeros behind each: the first part takes
    waveforms ``[batch, n_samples]`` and int64 ``[batch]``, how long each is, and gives the second
    one a second value, too. Otherwise they take one waveform, ``[1, n_samples]``.
    """

    first: nn.Module
    second: nn.Module
    pads: bool


def of_ecapa(model: ecapa.EcapaTdnn) -> SplitNetwork:
    """Its few large layers pay little for each new length: less than padding would cost."""
    return SplitNetwork(model.frontend, EcapaSecond(model), pads=False)


def of_campplus(model: campplus.CamPlusPlus) -> SplitNetwork:
    """Its two hundred small layers pay much for each new length, since code is made for it alone.

    So they see few lengths, and audio is padded to the next of them.
    """
    return SplitNetwork(CamPlusPlusFirst(model), CamPlusPlusSecond(model), pads=True)


SPLITS: dict[str, Callable[..., SplitNetwork]] = {"campplus": of_campplus, "ecapa": of_ecapa}


class EcapaSecond(nn.Module):
    """The network, on maps of one row where it has sequences.

    OpenVINO pads and averages maps as its convolutions leave them, each frame's channels together,
    but rearranges sequences before and after: on Zen 4 that is 3 to 9 % of the time.

    forward: features ``[1, n_frames, 80]`` -> embeddings ``[1, 192]``.
    """

    def __init__(self, model: ecapa.EcapaTdnn) -> None:
        super().__init__()
        self.network = copy.deepcopy(model.network)
        self.network.add_module("asp", PoolingOfMaps(self.network.asp))
        take_maps(self.network)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        maps = features.transpose(-2, -1).unsqueeze(-2)
        return self.network.embed(maps, None).flatten(1)


class PoolingOfMaps(nn.Module):
    """ECAPA-TDNN's pooling over all frames, with fewer results as large as its input.

    OpenVINO's softmax would rearrange them, too; and the weights of a mean over all frames are one.

    forward: ``[batch, 3072, 1, n_frames]``, None -> ``[batch, 2 * 3072, 1, 1]``.
    """

    def __init__(self, pooling: ecapa.AttentiveStatisticsPooling) -> None:
        super().__init__()
        self.tdnn, self.conv = pooling.tdnn, pooling.conv

    def forward(self, x: Tensor, valid: None) -> Tensor:  # noqa: ARG002 - as what it stands for
        """See the class."""
        mean = x.mean(dim=-1, keepdim=True)
        variance = (x - mean).square().mean(dim=-1, keepdim=True)
        context = ecapa.mean_and_deviation(mean, variance)
        scores = self.conv(self.tdnn(x, context).tanh())
        weights = (scores - scores.amax(dim=-1, keepdim=True)).exp()
        total = weights.sum(dim=-1, keepdim=True)
        mean = (weights * x).sum(dim=-1, keepdim=True) / total
        variance = (weights * (x - mean).square()).sum(dim=-1, keepdim=True) / total
        return ecapa.mean_and_deviation(mean, variance)


class CamPlusPlusFirst(nn.Module):
    """The frontend and the first convolution.

    The features' range is wide: rounded to bf16, they alone move the score of two seconds of speech
    by up to 0.01.

    forward: see ``SplitNetwork`` -> maps ``[batch, 32, 80, n_frames]``, and how many frames of each
    utterance are valid, ``[batch]``.
    """

    def __init__(self, model: campplus.CamPlusPlus) -> None:
        super().__init__()
        self.frontend = model.frontend
        self.head = model.network.head

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        n_frames = count_frames(n_samples)
        assert n_frames is not None
        return self.head.first_maps(self.frontend(waveforms, n_samples), n_frames), n_frames


class CamPlusPlusSecond(nn.Module):
    """The rest of the network.

    forward: what the first part gives -> embeddings ``[batch, 192]``.
    """

    def __init__(self, model: campplus.CamPlusPlus) -> None:
        super().__init__()
        network = copy.deepcopy(model.network)
        move_scales_behind_relu(network)
        self.head = network.head
        self.xvector = network.xvector

    def forward(self, maps: Tensor, n_frames: Tensor) -> Tensor:
        """See the class."""
        embeddings: Tensor = self.xvector(self.head.sequence(maps, n_frames), n_frames)
        return embeddings


@torch.no_grad()
def move_scales_behind_relu(network: campplus.EmbeddingNetwork) -> None:
    """Let each BatchNorm before a ReLU only shift, and the convolution behind it scale.

    relu(a x + b) = abs(a) relu(sign(a) x + b / abs(a)). In bf16, a rounded ``a`` does not fit ``b``
    any more, which moves a threshold far from 0 for all frames alike; a rounded weight of the
    convolution does no such harm.
    """
    for module in network.modules():
        if isinstance(module, campplus.DTdnnLayer):
            _move_scale(module.nonlinear1, module.linear1)
        elif isinstance(module, campplus.TransitionLayer):
            _move_scale(module.nonlinear, module.linear)


def _move_scale(batchnorm_relu: nn.Sequential, convolution: nn.Conv1d) -> None:
    batchnorm = batchnorm_relu.get_submodule("batchnorm")
    assert isinstance(batchnorm, nn.BatchNorm1d)
    mean, variance = batchnorm.running_mean, batchnorm.running_var
    assert mean is not None
    assert variance is not None
    scale = batchnorm.weight / (variance + batchnorm.eps).sqrt()
    shift = batchnorm.bias - mean * scale
    size = scale.abs().clamp(min=1e-12)
    batchnorm.weight.copy_(torch.where(scale < 0, -1.0, 1.0))
    batchnorm.bias.copy_(shift / size)
    mean.zero_()
    variance.fill_(1)
    batchnorm.eps = 0.0
    convolution.weight.mul_(size[:, None])
