"""From the store to the segmentation network: converted, or to be converted. Imports no numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.bundle import bundle_models_dir
from sidecar.config import Config
from sidecar.engine.lazy_loader import Open

if TYPE_CHECKING:
    from sidecar.engine.segmentation import Segmenter
    from sidecar.store.converted_files import Converted

# What it is for, as a phrase.
DOES = "hears who speaks when"


def from_store(config: Config) -> Open[Segmenter]:
    """What opens the network as ``config`` says where things lie."""

    def open_segmenter(
        before_fetch: Callable[[], None],
        should_stop: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> Segmenter:
        converted = find_converted(config.models_dir) or _convert(
            config, before_fetch, should_stop, on_progress
        )
        # It imports ONNX Runtime, which no start waits for.
        from sidecar.engine.segmentation import Segmenter  # noqa: PLC0415

        return Segmenter(converted)

    return open_segmenter


def find_converted(models_dir: Path | None) -> Converted | None:
    """The network, where it lies ready: in ``models_dir`` (None: the user's), or in the bundle."""
    from sidecar.engine.loading import converted_root  # noqa: PLC0415
    from sidecar.engine.segmentation import converted_origin, fingerprint  # noqa: PLC0415
    from sidecar.store import converted_files  # noqa: PLC0415
    from sidecar.store.weights import default_models_dir  # noqa: PLC0415

    bundled, origin = bundle_models_dir(), converted_origin(fingerprint())
    for folder in (models_dir or default_models_dir(), bundled):
        if folder is not None:
            is_own = folder != bundled
            found = converted_files.find(converted_root(folder), origin, is_own=is_own)
            if found is not None:
                return found
    return None


def _convert(
    config: Config,
    before_fetch: Callable[[], None],
    should_stop: Callable[[], bool],
    on_progress: Callable[[Progress], None],
) -> Converted:
    from sidecar.engine.export_process import ConversionFailed, convert_apart  # noqa: PLC0415
    from sidecar.engine.loading import converted_root  # noqa: PLC0415
    from sidecar.store.carried import find_carried, missing_in_bundle  # noqa: PLC0415
    from sidecar.store.catalog import SEGMENTATION  # noqa: PLC0415
    from sidecar.store.weights import default_models_dir  # noqa: PLC0415

    bundled = bundle_models_dir()
    if bundled is not None:
        raise missing_in_bundle(converted_root(bundled), DOES)
    before_fetch()
    find_carried(SEGMENTATION, DOES, config, before_fetch, should_stop, on_progress)
    models_dir = config.models_dir or default_models_dir()
    try:
        convert_apart(SEGMENTATION.id, "onnxruntime", models_dir, on_progress, should_stop)
    except ConversionFailed as error:
        raise ModelUnavailable(
            f"the model that {DOES} could not be converted: {error}", kind="damaged"
        ) from error
    found = find_converted(models_dir)
    if found is None:
        raise ModelUnavailable(
            f"the converted model that {DOES} did not last in {converted_root(models_dir)}",
            kind="damaged",
        )
    return found
