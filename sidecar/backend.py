"""The server's real backend: the catalog's models, this project's decoder and encoder.

Everything heavy is imported inside the functions, since ``hello`` must not wait for it.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from protocol.errors import InvalidParams
from protocol.params import Audio, EmbedWindowsParams, Params
from protocol.reports import Progress
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.jobs import Decoded
from sidecar.shipped import is_bundle
from sidecar.windowing import max_windowed_samples, plan_windows

if TYPE_CHECKING:
    from sidecar.audio import DurationLimits
    from sidecar.encoder import Encoder
    from sidecar.models.catalog import ModelCard
    from sidecar.models.store import FetchProgress

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
# Audio for windows may be longer than a network's, but it is held in memory whole.
MAX_WINDOWED_S = 1800.0

# How far ``--background`` steps back, on POSIX: half of the way.
_BACKGROUND_NICENESS = 10


class SpeechBackend:
    """Decodes and embeds as ``config`` asks."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._card: ModelCard

    def import_natives(self) -> None:
        """See ``Backend.import_natives``."""
        self.find_model()
        from sidecar.runtimes.machine import libraries  # noqa: PLC0415

        names = libraries(self._config)
        for variable, value in environment(names).items():
            os.environ.setdefault(variable, value)
        if self._config.background:
            _step_back()
        for name in (*_NATIVE_LIBRARIES, *names):
            importlib.import_module(name)

    def find_model(self) -> None:
        """Find out which model it is; raises ``ModelUnavailable`` if there is none."""
        from sidecar.models.installed import find_card  # noqa: PLC0415

        self._card = find_card(self._config.model, self._config.models_dir)

    def open(
        self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Encoder:
        """See ``Backend.open``."""
        from sidecar.encoder import open_encoder  # noqa: PLC0415
        from sidecar.models.installed import (  # noqa: PLC0415
            find_shipped,
            install,
            require_servable,
        )
        from sidecar.models.store import WeightStore, default_models_dir  # noqa: PLC0415

        def tell(fetched: FetchProgress) -> None:
            _log.debug("%s: %d of %d", fetched.detail, fetched.done_bytes, fetched.total_bytes)
            on_progress(Progress("download", fetched.done_bytes, fetched.total_bytes, "bytes"))

        model, models_dir = self._config.model, self._config.models_dir or default_models_dir()
        shipped = find_shipped(model, self._card, self._config.models_dir)
        if shipped is not None:
            return open_encoder(self._config, shipped, models_dir, on_progress, should_stop)
        require_servable(self._card, self._config.models_dir)
        store = WeightStore(
            models_dir,
            offline=self._config.offline or is_bundle(),  # it carries nothing to fetch with
            on_progress=tell,
            should_stop=should_stop,
        )
        installed = install(model, self._card, store)
        return open_encoder(self._config, installed, models_dir, on_progress, should_stop)

    def decode(self, audio: Audio, params: Params) -> Sequence[Decoded]:
        """See ``Backend.decode``."""
        from sidecar.audio import DurationLimits, decode  # noqa: PLC0415

        limits = DurationLimits(self._card.min_duration_s, self._card.max_duration_s)
        if isinstance(params, EmbedWindowsParams):
            return self._decode_windows(audio, params, limits)
        waveform = decode(audio, limits=limits, path_root=self._config.path_root)
        return [Decoded(waveform, len(waveform.samples))]

    def _decode_windows(
        self, audio: Audio, params: EmbedWindowsParams, limits: DurationLimits
    ) -> Sequence[Decoded]:
        from sidecar.audio import DurationLimits, Waveform, decode  # noqa: PLC0415

        # Half a window is the shortest that occurs, see ``plan_windows``.
        if not 2 * limits.min_s <= params.window_s <= limits.max_s:
            raise InvalidParams(
                f"window_s must be {2 * limits.min_s:g} to {limits.max_s:g}, "
                f"but is {params.window_s:g}",
                min_window_s=2 * limits.min_s,
                max_window_s=limits.max_s,
            )
        window_samples = round(params.window_s * SAMPLE_RATE_HZ)
        hop_samples = max(1, round(params.hop_s * SAMPLE_RATE_HZ))
        max_samples = max_windowed_samples(
            window_samples, hop_samples, self._config.limits.max_windows
        )
        max_s = min(MAX_WINDOWED_S, math.floor(1000 * max_samples / SAMPLE_RATE_HZ) / 1000)
        waveform = decode(
            audio,
            limits=DurationLimits(limits.min_s, max_s),
            path_root=self._config.path_root,
        )
        samples = waveform.samples
        plan = plan_windows(len(samples), window_samples, hop_samples)
        # Windows that overlap share the audio's memory; sparse ones would hold what lies between.
        is_sparse = hop_samples > window_samples
        windows = [
            samples[start:end].copy() if is_sparse else samples[start:end] for start, end in plan
        ]
        return [
            Decoded(Waveform(window), end - start, start)
            for window, (start, end) in zip(windows, plan, strict=True)
        ]


def environment(libraries: Sequence[str]) -> dict[str, str]:
    """The variables that ``libraries`` read when they are first used, unless the user set them."""
    return _OPENMP_PATIENCE | (_TORCH_CACHE if "torch" in libraries else {})


def _step_back() -> None:
    """Lower this process's priority, and with it that of what it starts."""
    import psutil  # noqa: PLC0415

    lower = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", _BACKGROUND_NICENESS)
    try:
        psutil.Process().nice(lower)
    except (OSError, psutil.Error) as error:
        _log.warning("the priority cannot be lowered: %s", error)
