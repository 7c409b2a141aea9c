"""The engine of ``serve``: finds the model, imports what it takes, and opens decoder and encoder.

Everything heavy is imported inside the functions, since ``hello`` must not wait for it.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from protocol.reports import Progress
from sidecar.audio.waveform import DurationLimits
from sidecar.bundle import is_bundle
from sidecar.config import Config

if TYPE_CHECKING:
    from sidecar.audio.decoder import Decoder
    from sidecar.engine.encoder import Encoder
    from sidecar.store.catalog import ModelCard
    from sidecar.store.weights import FetchProgress

_log = logging.getLogger(__name__)

_NATIVE_LIBRARIES = ("numpy", "soundfile", "soxr")
# OpenMP's threads spin while they wait for each other. By default so long that, with other programs
# busy on the same cores, a network takes ten times as long as its work; these are GNU's iterations
# (about 30 us here) and LLVM's and Intel's milliseconds.
_OPENMP_PATIENCE = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
# torch's oneDNN keeps the compiled code of each shape it met, by default of 1,024, 0.3 MB each;
# an utterance of a new length brings 10 to 80. So many hold the last length or two: windows.
# (OpenVINO has a oneDNN of its own, and needs fewer: see ``openvino_library``.)
_TORCH_CACHE = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128"}


class SpeechEngine:
    """Decodes and embeds as ``config`` asks."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._card: ModelCard

    def import_libraries(self) -> Decoder:
        """Import every native library that will be needed; gives what decodes for the model.

        Raises:
            ModelUnavailable: there is no such model.
        """
        self.find_model()
        from sidecar.hardware.machine import libraries  # noqa: PLC0415

        names = libraries(self._config)
        for variable, value in environment(names).items():
            os.environ.setdefault(variable, value)
        for name in (*_NATIVE_LIBRARIES, *names):
            importlib.import_module(name)
        from sidecar.audio.decoder import Decoder  # noqa: PLC0415

        limits = DurationLimits(self._card.min_duration_s, self._card.max_duration_s)
        return Decoder(limits, self._config.path_root, self._config.limits.max_windows)

    def find_model(self) -> None:
        """Find out which model it is; raises ``ModelUnavailable`` if there is none."""
        from sidecar.store.installed import find_card  # noqa: PLC0415

        self._card = find_card(self._config.model, self._config.models_dir)

    def open(
        self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Encoder:
        """Fetch, load, warm up and self-test; raises ``SidecarError``."""
        from sidecar.engine.encoder import open_encoder  # noqa: PLC0415
        from sidecar.store.installed import (  # noqa: PLC0415
            find_prebuilt,
            install,
            require_servable,
        )
        from sidecar.store.weights import WeightStore, default_models_dir  # noqa: PLC0415

        def tell(fetched: FetchProgress) -> None:
            _log.debug("%s: %d of %d", fetched.detail, fetched.done_bytes, fetched.total_bytes)
            on_progress(Progress("download", fetched.done_bytes, fetched.total_bytes, "bytes"))

        model, models_dir = self._config.model, self._config.models_dir or default_models_dir()
        installed = find_prebuilt(model, self._card, self._config.models_dir)
        if installed is None:
            require_servable(self._card, self._config.models_dir)
            store = WeightStore(
                models_dir,
                offline=self._config.offline or is_bundle(),  # it carries nothing to fetch with
                on_progress=tell,
                should_stop=should_stop,
            )
            installed = install(model, self._card, store)
        return open_encoder(self._config, installed, models_dir, on_progress, should_stop)


def environment(libraries: Sequence[str]) -> dict[str, str]:
    """The variables that ``libraries`` read when they are first used, unless the user set them."""
    return _OPENMP_PATIENCE | (_TORCH_CACHE if "torch" in libraries else {})
