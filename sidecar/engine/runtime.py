"""What runs a network on a device, as the rest of the engine sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sidecar.config import Precision
from sidecar.engine.batch_limits import BatchLimits

FloatArray = NDArray[np.float32]


class Runtime(Protocol):
    """What runs a model on a device, called by one thread."""

    @property
    def name(self) -> str:
        """``onnxruntime``, ``openvino`` or ``torch``."""

    @property
    def version(self) -> str:
        """Its release."""

    @property
    def device(self) -> str:
        """As torch names it: ``cpu``, ``cuda:0``."""

    @property
    def precision(self) -> Precision:
        """What the network computes in."""

    @property
    def n_threads(self) -> int:
        """How many threads do the CPU's work."""

    @property
    def batch_limits(self) -> BatchLimits:
        """What one batch may be."""

    @property
    def peak_reserved_bytes(self) -> int | None:
        """The most GPU memory that was held so far; None on the CPU."""

    def rest(self) -> None:
        """Give back the memory that is needed only while it computes: nothing is to do now.

        The next call takes no longer than one of a new length does.
        """

    def embed(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """The embeddings, shape (n, dim), of n waveforms, each of a length of its own.

        Raises:
            OutOfMemory: these waveforms do not fit together.
            DeviceError: the device failed.
        """
