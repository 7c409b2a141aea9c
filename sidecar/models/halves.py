"""Each network in two halves, for a runtime that may compute the second one with fewer bits.

The first half is always computed in f32. The second one is the same function as the network's own,
but its weights may be arranged otherwise. Both are for the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sidecar.models import campplus, ecapa
from sidecar.models.kaldi_fbank import count_frames


class Halves(NamedTuple):
    """``second(first(...))`` is the embedding.

    ``pads``: they take utterances of several lengths, zeros behind each: the first half takes
    waveforms ``[batch, n_samples]`` and int64 ``[batch]``, how long each is, and gives the second
    one a second value, too. Otherwise they take one waveform, ``[1, n_samples]``.
    """

    first: nn.Module
    second: nn.Module
    pads: bool


def of_ecapa(model: ecapa.EcapaTdnn) -> Halves:
    """Its few large layers pay little for each new length: less than padding would cost."""
    return Halves(model.frontend, model.network, pads=False)


def of_campplus(model: campplus.CamPlusPlus) -> Halves:
    """Its two hundred small layers pay much for each new length, since code is made for it alone.

    So they see few lengths, and audio is padded to the next of them.
    """
    return Halves(CamPlusPlusFirst(model), CamPlusPlusSecond(model), pads=True)


HALVES_OF: dict[str, Callable[..., Halves]] = {"campplus": of_campplus, "ecapa": of_ecapa}


class CamPlusPlusFirst(nn.Module):
    """The frontend and the first convolution.

    The features' range is wide: rounded to bf16, they alone move the score of two seconds of speech
    by up to 0.01.

    forward: see ``Halves`` -> maps ``[batch, 32, 80, n_frames]``, and how many frames are each
    utterance's own.
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

    forward: what the first half gives -> embeddings ``[batch, 192]``.
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
