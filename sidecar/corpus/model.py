"""The model of a run, before anything is started: there, and with a fingerprint."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.config import Config
from sidecar.store.installed import find_card, find_prebuilt, fingerprint, install
from sidecar.store.weights import FetchProgress, WeightStore, default_models_dir


def installed_fingerprint(config: Config, on_progress: Callable[[FetchProgress], None]) -> str:
    """The fingerprint of the model that ``config`` names, which is fetched if it is not there.

    Raises:
        ModelUnavailable: it cannot be had.
    """
    card = find_card(config.model, config.models_dir)
    installed = find_prebuilt(config.model, card, config.models_dir)
    if installed is None:
        store = WeightStore(
            config.models_dir or default_models_dir(),
            offline=config.offline,
            on_progress=on_progress,
        )
        installed = install(config.model, card, store)
    return fingerprint(card, installed.weights_sha256, card.recipe)
