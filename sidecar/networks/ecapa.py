"""ECAPA-TDNN: speaker embeddings from a TDNN with squeeze-excitation, Res2Net and attention.

Desplanques, Thienpondt, Demuynck: "ECAPA-TDNN: Emphasized Channel Attention, Propagation and
Aggregation in TDNN Based Speaker Verification", Interspeech 2020, arXiv 2005.07143; written from
that paper, with the sizes and parameter names of the checkpoint that SpeechBrain publishes as
``speechbrain/spkrec-ecapa-voxceleb`` (Hugging Face, Apache-2.0).

Where the checkpoint departs from the paper: a block takes the output of the block before it alone,
not the sum of all before; the attention's hidden layer is ReLU, BatchNorm, then tanh; no BatchNorm
follows the last layer.

Shapes: a sequence is ``[batch, channels, n_frames]``, a frame 10 ms; what describes an utterance as
a whole is a sequence of one frame. All layers also take maps of one row, ``[batch, channels, 1,
n_frames]``, once their convolutions do: see ``split``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks.checkpoint import load_weights
from sidecar.networks.ecapa_layers import Convolution, TdnnBlock, batchnorm
from sidecar.networks.speechbrain_fbank import (
    HOP_SAMPLES,
    N_MELS,
    SAMPLE_RATE_HZ,
    SpeechBrainFbank,
    count_frames,
)
from sidecar.networks.valid_frames import (
    ValidFrames,
    frame_weights,
    mean_over_time,
    valid_frames,
)

__all__ = ["EMBEDDING_DIM", "MIN_SAMPLES", "SAMPLE_RATE_HZ", "EcapaTdnn", "load"]

EMBEDDING_DIM = 192
DILATIONS = (2, 3, 4)
# 40 ms. A reflection that is 4 frames long needs 5 frames to come from, and the frames are centred
# on multiples of the hop, the first on sample 0.
MIN_SAMPLES = max(DILATIONS) * HOP_SAMPLES

CHANNELS = 1024
AGGREGATE_CHANNELS = 3072
SE_CHANNELS = 128
ATTENTION_CHANNELS = 128
RES2NET_SCALE = 8
VARIANCE_FLOOR = 1e-12


class EcapaTdnn(nn.Module):
    """Waveforms to embeddings: ``frontend``, then ``network``, which has all the weights.

    forward: waveforms ``[batch, n_samples]``, float32 in [-1, 1] at 16 kHz -> embeddings
    ``[batch, 192]``, not length-normalised. Where lengths differ, ``n_samples``, int64 ``[batch]``,
    says how long each utterance is, zeros follow it, and its embedding is what it is alone. Each is
    of at least MIN_SAMPLES: refuse a shorter one before (alone, it raises RuntimeError).
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
    ``[batch, n_frames, 80]``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fbank = SpeechBrainFbank()

    def forward(self, waveforms: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """See the class."""
        features: Tensor = self.fbank(waveforms, n_samples).transpose(-2, -1)
        valid = valid_frames(count_frames(n_samples), features)
        return (features - mean_over_time(features, valid)).transpose(-2, -1)


class EmbeddingNetwork(nn.Module):
    """The paper's figure 2: TDNN, three SE-Res2Blocks, aggregation, pooling, embedding.

    forward: features ``[batch, n_frames, 80]``, at least 5 frames -> embeddings ``[batch, 192]``.
    Where lengths differ, ``n_frames``, int64 ``[batch]``, says how many frames an utterance has.
    """

    def __init__(self) -> None:
        super().__init__()
        tdnn = TdnnBlock(N_MELS, CHANNELS, kernel_frames=5)
        self.blocks = nn.ModuleList([tdnn, *(SeRes2Block(dilation) for dilation in DILATIONS)])
        self.mfa = TdnnBlock(len(DILATIONS) * CHANNELS, AGGREGATE_CHANNELS)
        self.asp = AttentiveStatisticsPooling()
        self.asp_bn = batchnorm(2 * AGGREGATE_CHANNELS)
        self.fc = Convolution(2 * AGGREGATE_CHANNELS, EMBEDDING_DIM)

    def forward(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """See the class."""
        x = features.transpose(-2, -1)
        return self.embed(x, valid_frames(n_frames, x)).squeeze(-1)

    def embed(self, x: Tensor, valid: ValidFrames | None) -> Tensor:
        """The features as a sequence, ``[batch, 80, n_frames]``, to ``[batch, 192, 1]``."""
        tdnn, *se_res2_blocks = self.blocks
        x = tdnn(x, valid)
        outputs = []
        for block in se_res2_blocks:
            x = block(x, valid)
            outputs.append(x)
        x = self.mfa(torch.cat(outputs, dim=1))  # multi-layer feature aggregation
        embeddings: Tensor = self.fc(self.asp_bn(self.asp(x, valid)))
        return embeddings


# ---- The frame-level layers ----


class SeRes2Block(nn.Module):
    """The paper's SE-Res2Block: TDNN, dilated Res2Net, TDNN, squeeze-excitation, and a way past.

    forward: ``[batch, 1024, n_frames]`` -> the same shape.
    """

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.tdnn1 = TdnnBlock(CHANNELS, CHANNELS)
        self.res2net_block = Res2NetBlock(dilation)
        self.tdnn2 = TdnnBlock(CHANNELS, CHANNELS)
        self.se_block = SqueezeExcitation()

    def forward(self, x: Tensor, valid: ValidFrames | None) -> Tensor:
        """See the class."""
        y = self.tdnn2(self.res2net_block(self.tdnn1(x), valid))
        rescaled: Tensor = self.se_block(y, valid)
        return rescaled + x


class Res2NetBlock(nn.Module):
    """Eight groups of channels; each from the second on also sees what the one before it made.

    So the last group has seven dilated convolutions behind it, the first none: many reaches in
    time side by side.

    forward: ``[batch, 1024, n_frames]`` -> the same shape.
    """

    def __init__(self, dilation: int) -> None:
        super().__init__()
        width = CHANNELS // RES2NET_SCALE
        self.blocks = nn.ModuleList(
            TdnnBlock(width, width, kernel_frames=3, dilation=dilation)
            for _ in range(RES2NET_SCALE - 1)
        )

    def forward(self, x: Tensor, valid: ValidFrames | None) -> Tensor:
        """See the class."""
        first, second, *rest = x.chunk(RES2NET_SCALE, dim=1)
        first_block, *blocks = self.blocks
        outputs = [first, first_block(second, valid)]
        for group, block in zip(rest, blocks, strict=True):
            outputs.append(block(group + outputs[-1], valid))
        return torch.cat(outputs, dim=1)


class SqueezeExcitation(nn.Module):
    """Each channel scaled by what the whole utterance sounds like.

    forward: ``[batch, 1024, n_frames]`` -> the same shape.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(CHANNELS, SE_CHANNELS)
        self.conv2 = Convolution(SE_CHANNELS, CHANNELS)

    def forward(self, x: Tensor, valid: ValidFrames | None) -> Tensor:
        """See the class."""
        squeezed = functional.relu(self.conv1(mean_over_time(x, valid)))
        scale: Tensor = self.conv2(squeezed).sigmoid()
        return x * scale


# ---- Pooling ----


class AttentiveStatisticsPooling(nn.Module):
    """Channel- and context-dependent statistics pooling: each channel attends to its own frames.

    forward: ``[batch, 3072, n_frames]`` -> weighted means and deviations ``[batch, 2 * 3072, 1]``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tdnn = ContextTdnnBlock()
        self.conv = Convolution(ATTENTION_CHANNELS, AGGREGATE_CHANNELS)

    def forward(self, x: Tensor, valid: ValidFrames | None) -> Tensor:
        """See the class."""
        hidden = self.tdnn(x, context=statistics(x, frame_weights(x, valid))).tanh()
        return statistics(x, softmax_over_time(self.conv(hidden), valid))


class ContextTdnnBlock(nn.Module):
    """A TDNN block on frames that each have the utterance's statistics appended.

    What is appended is the same for each frame, so its share of the product is computed once.

    forward: frames ``[batch, 3072, n_frames]``, context ``[batch, 2 * 3072, 1]`` ->
    ``[batch, 128, n_frames]``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = Convolution(3 * AGGREGATE_CHANNELS, ATTENTION_CHANNELS)
        self.norm = batchnorm(ATTENTION_CHANNELS)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """See the class."""
        weight, bias = self.conv.conv.weight, self.conv.conv.bias
        for_frames, for_context = weight[:, : x.shape[1]], weight[:, x.shape[1] :]
        convolve = functional.conv1d if weight.dim() == 3 else functional.conv2d
        y = convolve(x, for_frames) + convolve(context, for_context, bias)
        hidden: Tensor = self.norm(functional.relu(y))
        return hidden


def statistics(x: Tensor, weights: Tensor) -> Tensor:
    """Means, then standard deviations, ``[batch, channels, n_frames]`` -> ``[.., 2 channels, 1]``.

    ``weights`` sum to 1 over the frames; they broadcast to the shape of ``x``.
    """
    mean = (weights * x).sum(dim=-1, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=-1, keepdim=True)
    return mean_and_deviation(mean, variance)


def mean_and_deviation(mean: Tensor, variance: Tensor) -> Tensor:
    """``[batch, channels, 1]`` each -> ``[batch, 2 channels, 1]``."""
    return torch.cat((mean, variance.clamp(min=VARIANCE_FLOOR).sqrt()), dim=1)


def softmax_over_time(scores: Tensor, valid: ValidFrames | None) -> Tensor:
    """Weights that sum to 1 over an utterance's frames, for each channel its own; the same shape.

    ``scores`` are changed in place.
    """
    if valid is not None:
        scores.add_(torch.where(valid.mask, 0.0, -torch.inf))
    return scores.softmax(dim=-1)


# ---- Loading ----


def load(path: Path) -> EcapaTdnn:
    """The network with the weights of an ``embedding_model.ckpt``, on the CPU, for inference only.

    Raises:
        ModelUnavailable: see ``load_weights``.
    """
    model = EcapaTdnn()
    load_weights(model.network, path, "SpeechBrain's ECAPA-TDNN with 1024 channels")
    return model.eval().requires_grad_(requires_grad=False)
