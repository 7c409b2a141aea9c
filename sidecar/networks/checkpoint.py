"""From a checkpoint's file to a network's weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeAlias

import torch
from torch import nn

from protocol.errors import ModelUnavailable

# What a checkpoint holds: tensors by their names.
Weights: TypeAlias = dict[str, Any]


def load_weights(
    network: nn.Module,
    path: Path,
    name: str,
    arrange: Callable[[Weights], Weights] = lambda weights: weights,
) -> None:
    """Give ``network``, which people know as ``name``, exactly the weights in ``path``.

    ``arrange`` makes the network's weights of what the file holds.

    The caller has checked the file's hash. ``weights_only`` is the second lock: nothing in the file
    is executed.

    Raises:
        ModelUnavailable: the file cannot be read, or does not hold exactly this network's weights.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in any way
        raise ModelUnavailable(
            f"{path} is not readable as a checkpoint ({type(error).__name__}); "
            "delete it and fetch the model again",
        ) from error
    try:
        network.load_state_dict(arrange(weights), strict=True)
    except Exception as error:  # the keys and values may be anything
        raise ModelUnavailable(
            f"{path} does not hold the weights of {name}: {shorten(str(error), 300)}; "
            "delete it and fetch the model again",
        ) from error
