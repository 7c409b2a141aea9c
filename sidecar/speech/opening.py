"""From the store to the detector. Imports no numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.reports import Progress
from sidecar.config import Config
from sidecar.engine.lazy_loader import Open

if TYPE_CHECKING:
    from sidecar.speech.detector import SpeechDetector

# What it is for, as a phrase.
DOES = "hears speech"


def from_store(config: Config) -> Open[SpeechDetector]:
    """What opens the detector as ``config`` says where things lie."""

    def open_detector(
        before_fetch: Callable[[], None],
        should_stop: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> SpeechDetector:
        from sidecar.store.carried import find_carried  # noqa: PLC0415
        from sidecar.store.catalog import SPEECH_DETECTOR  # noqa: PLC0415

        network = find_carried(
            SPEECH_DETECTOR, DOES, config, before_fetch, should_stop, on_progress
        )
        # It imports ONNX Runtime, which no start waits for.
        from sidecar.speech.detector import SpeechDetector  # noqa: PLC0415

        return SpeechDetector(network)

    return open_detector
