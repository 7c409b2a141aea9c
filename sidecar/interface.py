"""What the server asks of whoever decodes and embeds: the real backend, or a light one in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from protocol.params import Audio, Params
from protocol.reports import DeviceReport, ModelReport, Progress
from sidecar.batching import BatchLimits
from sidecar.jobs import Decoded, Outcome


class Encoder(Protocol):
    """What embeds, as the server sees it; ``sidecar.encoder`` has the real one."""

    model: ModelReport
    device: DeviceReport
    degraded: str | None
    batch_limits: BatchLimits

    def embed(self, waveforms: Sequence[Any]) -> Sequence[Outcome]:
        """An embedding, or the error that took its place, for each waveform of one batch.

        Raises ``OutOfMemory`` if they do not fit together.
        """

    def peak_reserved_bytes(self) -> int | None:
        """The most GPU memory that was held so far; None on the CPU. Called from any thread."""


class Backend(Protocol):
    """Where audio and embeddings come from; ``sidecar.backend`` has the real one."""

    def import_natives(self) -> None:
        """Import every native library that will be needed."""

    def open(
        self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Encoder:
        """Fetch, load, warm up and self-test; raises ``SidecarError``."""

    def decode(self, audio: Audio, params: Params) -> Sequence[Decoded]:
        """One audio's waveform or windows; raises ``SidecarError``."""
