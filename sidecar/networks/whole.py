"""Each network as one function of the waveform, arranged for ONNX Runtime on the CPU.

What is computed is the network's function; some of the weights are arranged in another way, so that
less has to be done. There are no masks: the utterances of a batch are of one length.
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
    """On maps of one row, which ONNX Runtime convolves a tenth faster than sequences.

    Its layers are large enough for every core, so that a batch would win nothing.
    """
    module = nn.Sequential(model.frontend, EcapaSecond(model)).train(model.training)
    return WholeNetwork(module, batches=False)


def of_campplus(model: campplus.CamPlusPlus) -> WholeNetwork:
    """On maps of one row, too; see ``CamPlusPlusOfMaps``."""
    return WholeNetwork(CamPlusPlusOfMaps(model), batches=True)


WHOLE: dict[str, Callable[..., WholeNetwork]] = {"campplus": of_campplus, "ecapa": of_ecapa}
