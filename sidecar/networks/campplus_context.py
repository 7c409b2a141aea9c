"""What CAM++ knows of an utterance beyond a convolution's reach: its segments and statistics.

Shapes: a sequence is ``[batch, channels, n_frames]``; a frame is 20 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sidecar.networks.valid_frames import ValidFrames, frame_weights, mean_over_time

SEGMENT_FRAMES = 100  # 2 s


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What all the masks have in common: where the 2 s segments lie, as matrices.

    Products with them pool and spread in one step, whatever the length: on a CPU, a layer's own
    pooling, padding and repeating took a third of the time of a second of speech.

    ``weights``: a sequence times this is the utterance's mean plus that of each segment,
    ``[batch or 1, n_frames, n_segments]``.
    ``segments``: a value for each segment times this is that value in each frame of it,
    ``[1, n_segments, n_frames]``.
    """

    weights: Tensor
    segments: Tensor


def context_of(x: Tensor, valid: ValidFrames | None) -> Context:
    """The context of utterances with the frames of ``x``."""
    segments = segments_of(x)
    weights = segment_weights(segments, valid) + frame_weights(x, valid)
    return Context(weights.transpose(-2, -1), segments)


def segments_of(x: Tensor) -> Tensor:
    """Which frames a segment has: 1 or 0, ``[1, n_segments, n_frames]``; the last may have few."""
    n_frames = x.shape[-1]
    n_segments = (n_frames + SEGMENT_FRAMES - 1) // SEGMENT_FRAMES
    segment_of_frame = torch.arange(n_frames, device=x.device) // SEGMENT_FRAMES
    each = torch.arange(n_segments, device=x.device)
    return (each[:, None] == segment_of_frame).to(x.dtype)[None]


def segment_weights(segments: Tensor, valid: ValidFrames | None) -> Tensor:
    """Those of each segment's mean over the valid frames that it has, if any; the same shape."""
    if valid is not None:
        segments = segments * valid.mask
    return segments / segments.sum(dim=-1, keepdim=True).clamp(min=1)


def statistics_pooling(x: Tensor, valid: ValidFrames | None) -> Tensor:
    """``[batch, channels, n_frames]`` -> ``[batch, 2 * channels]``: mean, standard deviation.

    The deviation is the unbiased one (divisor n_frames - 1), so it needs two frames.
    """
    n_frames = x.shape[-1] if valid is None else valid.counts
    mean = mean_over_time(x, valid)
    variance = mean_over_time((x - mean).square(), valid) * n_frames / (n_frames - 1)
    return torch.cat((mean, variance.sqrt()), dim=1).squeeze(-1)
