"""Each network as one function of the waveform, arranged for ONNX Runtime on the CPU.

What is computed is the network's function, on maps of one row, which ONNX Runtime computes faster
than sequences. Nothing is padded: the utterances of a batch are of one length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from sidecar.networks import campplus, ecapa
from sidecar.networks.campplus_maps import CamPlusPlusOfMaps
from sidecar.networks.split import EcapaSecond


class WholeNetwork(NamedTuple):
    """``module``: waveforms ``[batch, n_samples]`` -> embeddings ``[batch, dim]``.

    ``batches``: whether ``batch`` may be more than one.
    """

    module: nn.Module
    batches: bool


def of_ecapa(model: ecapa.EcapaTdnn) -> WholeNetwork:
    """A tenth faster than on sequences.

    Its layers are large enough for every core, so that a batch would win nothing.
    """
    module = nn.Sequential(model.frontend, EcapaSecond(model)).train(model.training)
    return WholeNetwork(module, batches=False)


def of_campplus(model: campplus.CamPlusPlus) -> WholeNetwork:
    """See ``CamPlusPlusOfMaps``."""
    return WholeNetwork(CamPlusPlusOfMaps(model), batches=True)


WHOLE: dict[str, Callable[..., WholeNetwork]] = {"campplus": of_campplus, "ecapa": of_ecapa}
