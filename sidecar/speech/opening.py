"""From the store to the detector: where its file lies, and that it is the right one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.bundle import bundle_models_dir
from sidecar.config import Config
from sidecar.speech.loader import OpenDetector

if TYPE_CHECKING:
    from sidecar.speech.detector import SpeechDetector
    from sidecar.store.weights import FetchProgress

_log = logging.getLogger(__name__)


def from_store(config: Config) -> OpenDetector:
    """What opens the detector as ``config`` says where things lie."""

    def open_detector(
        before_fetch: Callable[[], None],
        should_stop: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> SpeechDetector:
        network = _find_network(config, before_fetch, should_stop, on_progress)
        # It imports ONNX Runtime, which no start waits for.
        from sidecar.speech.detector import SpeechDetector  # noqa: PLC0415

        return SpeechDetector(network)

    return open_detector


def _find_network(
    config: Config,
    before_fetch: Callable[[], None],
    should_stop: Callable[[], bool],
    on_progress: Callable[[Progress], None],
) -> Path:
    from sidecar.store.catalog import SPEECH_DETECTOR  # noqa: PLC0415
    from sidecar.store.weights import State, WeightStore, default_models_dir  # noqa: PLC0415

    [file] = SPEECH_DETECTOR.files
    bundled = bundle_models_dir()
    for folder in (config.models_dir, bundled) if bundled is not None else ():
        if folder is not None:
            carried = WeightStore(folder, offline=True)
            if carried.state(SPEECH_DETECTOR, file) is State.INSTALLED:
                return carried.path(SPEECH_DETECTOR, file)
    if bundled is not None:  # it carries nothing to fetch with
        raise ModelUnavailable(
            f"{bundled / SPEECH_DETECTOR.id / file.name}, which hears speech, is missing or "
            "damaged: install the program anew",
            kind="damaged",
        )

    def tell(fetched: FetchProgress) -> None:
        _log.debug("%s: %d of %d", fetched.detail, fetched.done_bytes, fetched.total_bytes)
        on_progress(Progress("download", fetched.done_bytes, fetched.total_bytes, "bytes"))

    store = WeightStore(
        config.models_dir or default_models_dir(),
        offline=config.offline,
        on_progress=tell,
        should_stop=should_stop,
    )
    if store.state(SPEECH_DETECTOR, file) is not State.INSTALLED and not config.offline:
        _log.info("fetching %s, which hears speech", SPEECH_DETECTOR.id)
        before_fetch()
    return store.ensure(SPEECH_DETECTOR)[file.name]
