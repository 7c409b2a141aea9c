"""An engine whose decoder also hears who speaks when. Imports no numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.reports import Progress
from sidecar.diarization.diarizing import Diarizing
from sidecar.engine.lazy_loader import LazyLoader
from sidecar.speech.engine import HearingEngine

if TYPE_CHECKING:
    # They import numpy, for which the reader does not wait.
    from sidecar.engine.encoder import Encoder
    from sidecar.engine.segmentation import Segmenter
    from sidecar.speech.detector import SpeechDetector


class DiarizingEngine:
    """Decodes, hears and embeds as ``engine`` does; see ``Diarizing``."""

    def __init__(
        self,
        engine: HearingEngine,
        segmenter: LazyLoader[Segmenter],
        detector: LazyLoader[SpeechDetector],
    ) -> None:
        self._engine = engine
        self._segmenter = segmenter
        self._detector = detector

    def import_libraries(self) -> Diarizing:
        """See ``SpeechEngine``."""
        return Diarizing(self._engine.import_libraries(), self._segmenter, self._detector)

    def open(
        self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Encoder:
        """See ``SpeechEngine``."""
        return self._engine.open(on_progress, should_stop)
