"""CAM++: speaker embeddings from a densely connected TDNN with context-aware masking.

Wang, Zheng, Chen, Cheng, Chen: "CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking", Interspeech 2023, arXiv 2303.00332; written from that paper, with the sizes
and parameter names of the checkpoint that 3D-Speaker publishes as
``speech_campplus_sv_zh_en_16k-common_advanced`` v1.0.0 (ModelScope ``iic/...``, Apache-2.0).

Shapes: a map is ``[batch, channels, frequency, n_frames]``, a sequence ``[batch, channels,
n_frames]``. The head keeps the 10 ms frames; from the TDNN on a frame is 20 ms. From there to the
pooling, maps of one row do as well, see ``campplus_maps``.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks.campplus_context import Context, context_of, statistics_pooling
from sidecar.networks.campplus_head import HEAD_CHANNELS, HEAD_FREQUENCIES, FrontConvolutionModule
from sidecar.networks.checkpoint import load_weights
from sidecar.networks.kaldi_fbank import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    KaldiFbank,
    count_frames,
)
from sidecar.networks.valid_frames import (
    ValidFrames,
    mean_over_time,
    valid_frames,
    zero_behind,
)

__all__ = ["EMBEDDING_DIM", "MIN_SAMPLES", "SAMPLE_RATE_HZ", "CamPlusPlus", "load"]

EMBEDDING_DIM = 192
# 45 ms. The unbiased standard deviation needs two frames after the TDNN, whose stride of 2 makes
# them of three; from a single one it would be 0 / 0.
MIN_SAMPLES = FRAME_SAMPLES + 2 * HOP_SAMPLES

INIT_CHANNELS = 128
BOTTLENECK_CHANNELS = 128
GROWTH_CHANNELS = 32
CAM_CHANNELS = 64


class CamPlusPlus(nn.Module):
    """Waveforms to embeddings: ``frontend``, then ``network``, which has all the weights.

    forward: waveforms ``[batch, n_samples]``, float32 in [-1, 1] at 16 kHz -> embeddings
    ``[batch, 192]``, not length-normalised. Where lengths differ, ``n_samples``, int64 ``[batch]``,
    says how long each utterance is, zeros follow it, and its embedding is what it is alone. Each is
    of at least MIN_SAMPLES: refuse a shorter one before (it gives NaN or no frame at all).
    """

    def __init__(self) -> None:
        super().__init__()
        self.frontend = Frontend()
        self.network = EmbeddingNetwork()

    def forward(self, waveforms: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """See the class."""
        features = self.frontend(waveforms, n_samples)
        embeddings: Tensor = self.network(features, count_frames(n_samples))
        return embeddings


class Frontend(nn.Module):
    """Log-mel features less their mean over the utterance, and with it a channel's fixed response.

    forward: waveforms ``[batch, n_samples]`` and ``n_samples`` as in the model -> features
    ``[batch, n_frames, 80]``, zero behind an utterance's end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fbank = KaldiFbank()

    def forward(self, waveforms: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """See the class."""
        features: Tensor = self.fbank(waveforms, n_samples).transpose(-2, -1)
        valid = valid_frames(count_frames(n_samples), features)
        return zero_behind(features - mean_over_time(features, valid), valid).transpose(-2, -1)


class EmbeddingNetwork(nn.Module):
    """The paper's figure 1: the front-end convolution module, then the D-TDNN backbone.

    forward: features ``[batch, n_frames, 80]``, at least 3 frames -> embeddings ``[batch, 192]``.
    Where lengths differ, ``n_frames``, int64 ``[batch]``, says how many frames an utterance has;
    zeros follow them. Each convolution over time must find such zeros behind an utterance's end, as
    it finds its own padding behind the batch's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = FrontConvolutionModule()
        self.xvector = DTdnnBackbone()

    def forward(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """See the class."""
        embeddings: Tensor = self.xvector(self.head(features, n_frames), n_frames)
        return embeddings


# ---- The D-TDNN backbone ----


class DTdnnBackbone(nn.Module):
    """TDNN, three densely connected blocks with transitions that halve, pooling, embedding.

    forward: sequence ``[batch, 320, n_frames]``, zero behind an utterance's end, and ``n_frames``
    as in the network -> embeddings ``[batch, 192]``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tdnn = TdnnLayer()
        self.block1 = DTdnnBlock(n_layers=12, in_channels=INIT_CHANNELS, dilation=1)
        self.transit1 = TransitionLayer(self.block1.out_channels)
        self.block2 = DTdnnBlock(n_layers=24, in_channels=self.transit1.out_channels, dilation=2)
        self.transit2 = TransitionLayer(self.block2.out_channels)
        self.block3 = DTdnnBlock(n_layers=16, in_channels=self.transit2.out_channels, dilation=2)
        self.transit3 = TransitionLayer(self.block3.out_channels)
        self.out_nonlinear = batchnorm_relu(self.transit3.out_channels)
        self.dense = EmbeddingLayer(2 * self.transit3.out_channels)

    def forward(self, x: Tensor, n_frames: Tensor | None) -> Tensor:
        """See the class."""
        x = self.tdnn(x)
        valid = valid_frames(None if n_frames is None else (n_frames + 1) // 2, x)
        x = self.blocks(x, valid, context_of(x, valid))
        embeddings: Tensor = self.dense(statistics_pooling(x, valid))
        return embeddings

    def blocks(self, x: Tensor, valid: ValidFrames | None, context: Context) -> Tensor:
        """What the TDNN gives -> what is pooled, ``[batch, 512, n_frames]``."""
        x = self.transit1(self.block1(x, valid, context))
        x = self.transit2(self.block2(x, valid, context))
        x = self.transit3(self.block3(x, valid, context))
        y: Tensor = self.out_nonlinear(x)
        return y


class TdnnLayer(nn.Module):
    """The one TDNN layer before the blocks: five frames wide; its stride halves the frames.

    forward: ``[batch, 320, n_frames]`` -> ``[batch, 128, (n_frames + 1) // 2]``.
    """

    def __init__(self) -> None:
        super().__init__()
        in_channels = HEAD_CHANNELS * HEAD_FREQUENCIES
        self.linear = nn.Conv1d(in_channels, INIT_CHANNELS, 5, stride=2, padding=2, bias=False)
        self.nonlinear = batchnorm_relu(INIT_CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = self.nonlinear(self.linear(x))
        return y


class DTdnnBlock(nn.Module):
    """D-TDNN layers, each fed with the block's input and the outputs of all layers before it.

    forward: ``[batch, in_channels, n_frames]`` -> ``[batch, out_channels, n_frames]``, with
    out_channels = in_channels + 32 * n_layers.
    """

    def __init__(self, n_layers: int, in_channels: int, dilation: int) -> None:
        super().__init__()
        self.out_channels = in_channels + GROWTH_CHANNELS * n_layers
        for i in range(n_layers):
            layer = DTdnnLayer(in_channels + GROWTH_CHANNELS * i, dilation)
            self.add_module(f"tdnnd{i + 1}", layer)

    def forward(self, x: Tensor, valid: ValidFrames | None, context: Context) -> Tensor:
        """See the class."""
        for layer in self.children():
            x = torch.cat((x, layer(x, valid, context)), dim=1)
        return x


class DTdnnLayer(nn.Module):
    """One D-TDNN layer: a bottleneck, then a TDNN under its context-aware mask.

    forward: ``[batch, in_channels, n_frames]`` -> ``[batch, 32, n_frames]``.
    """

    def __init__(self, in_channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = batchnorm_relu(in_channels)
        self.linear1 = nn.Conv1d(in_channels, BOTTLENECK_CHANNELS, 1, bias=False)
        self.nonlinear2 = batchnorm_relu(BOTTLENECK_CHANNELS)
        self.cam_layer = ContextAwareMasking(dilation)

    def forward(self, x: Tensor, valid: ValidFrames | None, context: Context) -> Tensor:
        """See the class."""
        bottleneck = self.nonlinear2(self.linear1(self.nonlinear1(x)))
        y: Tensor = self.cam_layer(zero_behind(bottleneck, valid), context)
        return y


class ContextAwareMasking(nn.Module):
    """A TDNN whose output is scaled, channel by channel, by what the surroundings sound like.

    The mask is a function of the utterance's mean and of the mean of each 2 s segment. All frames
    of a segment share it, so it is computed once for each segment.

    forward: ``[batch, 128, n_frames]``, zero behind an utterance's end ->
    ``[batch, 32, n_frames]``.
    """

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            BOTTLENECK_CHANNELS,
            GROWTH_CHANNELS,
            kernel_size=3,
            padding=dilation,
            dilation=dilation,
            bias=False,
        )
        self.linear1 = nn.Conv1d(BOTTLENECK_CHANNELS, CAM_CHANNELS, 1)
        self.linear2 = nn.Conv1d(CAM_CHANNELS, GROWTH_CHANNELS, 1)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """See the class."""
        surroundings = x @ context.weights  # [batch, 128, n_segments]
        mask = self.linear2(functional.relu(self.linear1(surroundings))).sigmoid()
        masked: Tensor = self.linear_local(x) * (mask @ context.segments)
        return masked


class TransitionLayer(nn.Module):
    """Between blocks: half as many channels.

    forward: ``[batch, in_channels, n_frames]`` -> ``[batch, in_channels / 2, n_frames]``.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.out_channels = in_channels // 2
        self.nonlinear = batchnorm_relu(in_channels)
        self.linear = nn.Conv1d(in_channels, self.out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = self.linear(self.nonlinear(x))
        return y


class EmbeddingLayer(nn.Module):
    """Utterance statistics to the embedding; it ends with a BatchNorm that has no weights.

    forward: ``[batch, in_features]`` -> ``[batch, 192]``.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        # The checkpoint keeps this matrix as a convolution over one frame.
        self.linear = nn.Conv1d(in_features, EMBEDDING_DIM, 1, bias=False)
        batchnorm = nn.BatchNorm1d(EMBEDDING_DIM, affine=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=batchnorm))

    def forward(self, statistics: Tensor) -> Tensor:
        """See the class."""
        embeddings: Tensor = self.nonlinear(self.linear(statistics.unsqueeze(-1)).squeeze(-1))
        return embeddings


def batchnorm_relu(n_channels: int) -> nn.Sequential:
    """BatchNorm, then ReLU: what the checkpoint calls ``nonlinear``."""
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(n_channels), relu=nn.ReLU()))


# ---- Loading ----


def load(path: Path) -> CamPlusPlus:
    """The network with the published weights, on the CPU, for inference only.

    Raises:
        ModelUnavailable: see ``load_weights``.
    """
    model = CamPlusPlus()
    load_weights(model.network, path, "CAM++")
    return model.eval().requires_grad_(requires_grad=False)
