"""Where the utterances of a padded batch end, and the means that stop there.

In a padded batch each utterance has frames of its valid, and behind them, up to the longest, frames
that are nobody's. Those hold finite numbers without meaning; a network stays exact as long as its
own frames never read them. All is computed from tensors, without a look at their values: so it can
be traced, and a GPU need not be waited for.

Shapes: a sequence is ``[batch, channels, n_frames]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ValidFrames:
    """Which frames of a padded batch are valid.

    ``counts``: how many, int64 ``[batch, 1, 1]``.
    ``mask``: whether a frame is one, bool ``[batch, 1, n_frames]``.
    ``weights``: those of a mean over them, ``[batch, 1, n_frames]``: 1 / count, and 0 behind.
    """

    counts: Tensor
    mask: Tensor
    weights: Tensor


def valid_frames(counts: Tensor | None, x: Tensor) -> ValidFrames | None:
    """The first ``counts`` (int64 ``[batch]``) frames of each utterance in the sequence ``x``.

    None, here and wherever it is taken for ``valid``: the utterances fill the batch.
    """
    if counts is None:
        return None
    counts = counts[:, None, None]
    mask = torch.arange(x.shape[-1], device=x.device) < counts
    return ValidFrames(counts, mask, mask / counts.to(x.dtype))


def frame_weights(x: Tensor, valid: ValidFrames | None) -> Tensor:
    """The same weight for each frame of an utterance, ``[batch or 1, 1, n_frames]``."""
    return torch.ones_like(x[:1, :1]) / x.shape[-1] if valid is None else valid.weights


def mean_over_time(x: Tensor, valid: ValidFrames | None) -> Tensor:
    """The mean over an utterance's valid frames, ``[batch, channels, 1]``."""
    if valid is None:
        return x.mean(dim=-1, keepdim=True)
    return x @ valid.weights.transpose(-2, -1)  # a product needs no masked copy of x


def zero_behind(x: Tensor, valid: ValidFrames | None) -> Tensor:
    """Set what lies behind each utterance's valid frames to zero: ``x`` itself, changed in place.

    ``x`` may have dimensions between its channels and its frames.
    """
    if valid is None:
        return x
    index = (slice(None), *(None,) * (x.dim() - valid.mask.dim()))
    return x.mul_(valid.mask[index])
