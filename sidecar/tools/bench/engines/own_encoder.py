"""This project's encoder, called in process: what the sidecar is without its wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.tools.bench.engines.engine import About, FloatArray

if TYPE_CHECKING:
    # It imports torch, which must find its environment set up by the backend.
    from sidecar.engine.encoder import Encoder


class OwnEncoder:
    """See ``Engine``. Batches are cut as the server cuts them."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        device = encoder.device
        self.about = About(
            runtime=device.runtime, precision=device.precision, threads=device.threads
        )

    def embed(self, waveforms: Sequence[FloatArray]) -> None:
        """See ``Engine``."""
        limits = self._encoder.batch_limits
        longest = max(len(waveform) for waveform in waveforms)
        n_together = max(1, min(limits.max_items, limits.max_padded_samples // longest))
        for start in range(0, len(waveforms), n_together):
            batch = waveforms[start : start + n_together]
            self._encoder.embed([Waveform(waveform) for waveform in batch])

    def gpu_peak_bytes(self) -> int | None:
        """See ``Engine``."""
        return self._encoder.peak_reserved_bytes()


def open_engine(config: Config) -> OwnEncoder:
    """The encoder that ``serve`` would open with ``config``; raises ``SidecarError``."""
    backend = SpeechEngine(config)
    backend.import_libraries()
    return OwnEncoder(backend.open(lambda _: None, lambda: False))
