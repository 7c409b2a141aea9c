"""What an engine is, as the worker that drives it sees it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class About:
    """What computes, and with what."""

    runtime: str | None
    precision: str | None
    threads: int | None
    versions: dict[str, str] = field(default_factory=dict)
    remark: str = ""
    takes_batches: bool = True


class Engine(Protocol):
    """Turns utterances into embeddings, and drops them: only the time counts."""

    about: About

    def embed(self, waveforms: Sequence[FloatArray]) -> None:
        """Embed waveforms, each of shape (n_samples,), together."""

    def gpu_peak_bytes(self) -> int | None:
        """The most GPU memory that torch's allocator held; None on the CPU."""


def versions(*packages: str) -> dict[str, str]:
    """The installed version of each distribution."""
    return {name: importlib.metadata.version(name) for name in packages}
