"""An engine whose decoder also hears. Imports no numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.reports import Progress
from sidecar.engine.lazy_loader import LazyLoader
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.speech.hearing import Hearing

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.engine.encoder import Encoder
    from sidecar.speech.detector import SpeechDetector


class HearingEngine:
    """Decodes and embeds as ``engine`` does, and hears with what ``loader`` gets.

    ``at_start``: it is opened only once the detector is there, too.
    """

    def __init__(
        self, engine: SpeechEngine, loader: LazyLoader[SpeechDetector], *, at_start: bool
    ) -> None:
        self._engine = engine
        self._loader = loader
        self._at_start = at_start

    def import_libraries(self) -> Hearing:
        """See ``SpeechEngine``."""
        return Hearing(self._engine.import_libraries(), self._loader)

    def open(
        self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Encoder:
        """See ``SpeechEngine``; the detector is loaded beside it."""
        if self._at_start:
            self._loader.begin(on_progress)
        encoder = self._engine.open(on_progress, should_stop)
        if self._at_start:
            self._loader.wait()
        return encoder
