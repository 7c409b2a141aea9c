"""A file that serving needs beside the model: where it lies, or fetched."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.bundle import bundle_models_dir
from sidecar.config import Config
from sidecar.store.assets import Asset
from sidecar.store.weights import FetchProgress, State, WeightStore, default_models_dir

_log = logging.getLogger(__name__)


def find_carried(  # noqa: PLR0913, PLR0917 - what an opening is told, and what is to be opened
    asset: Asset,
    does: str,
    config: Config,
    before_fetch: Callable[[], None],
    should_stop: Callable[[], bool],
    on_progress: Callable[[Progress], None],
) -> Path:
    """The one file of ``asset``, which ``does`` something: ``hears speech``.

    The other arguments are those of an opening: see ``sidecar.engine.lazy_loader``.

    Raises:
        ModelUnavailable: it is not there, and cannot be fetched.
    """
    [file] = asset.files
    bundled = bundle_models_dir()
    for folder in (config.models_dir, bundled) if bundled is not None else ():
        if folder is not None:
            carried = WeightStore(folder, offline=True)
            if carried.state(asset, file) is State.INSTALLED:
                return carried.path(asset, file)
    if bundled is not None:  # it carries nothing to fetch with
        raise missing_in_bundle(bundled / asset.id / file.name, does)

    def tell(fetched: FetchProgress) -> None:
        _log.debug("%s: %d of %d", fetched.detail, fetched.done_bytes, fetched.total_bytes)
        on_progress(Progress("download", fetched.done_bytes, fetched.total_bytes, "bytes"))

    store = WeightStore(
        config.models_dir or default_models_dir(),
        offline=config.offline,
        on_progress=tell,
        should_stop=should_stop,
    )
    if store.state(asset, file) is not State.INSTALLED and not config.offline:
        _log.info("fetching %s, which %s", asset.id, does)
        before_fetch()
    return store.ensure(asset)[file.name]


def missing_in_bundle(path: Path, does: str) -> ModelUnavailable:
    """What to say of a bundle that lost the file that ``does`` something."""
    return ModelUnavailable(
        f"{path}, which {does}, is missing or damaged: install the program anew", kind="damaged"
    )
