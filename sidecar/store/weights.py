"""The weight store: pinned files on disk, fetched when missing, checked before every use.

Layout: ``<models_dir>/<asset id>/<file name>``. A file is there whole and right, or not at all: it
is fetched into a folder beside its place, checked, and only then moved there.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import platformdirs

from protocol.errors import ModelUnavailable
from sidecar.bundle import bundle_models_dir
from sidecar.store.assets import (
    Asset,
    AssetFile,
    Source,
    SourceFailed,
    is_disk_full,
    sha256_of,
)
from sidecar.store.fetch_folder import fetch_folder, sweep
from sidecar.store.shared_folder import move, only_one, patiently, sync

MODELS_DIR_VARIABLE = "SPEAKER_SIDECAR_MODELS_DIR"

_log = logging.getLogger(__name__)

_REPORT_INTERVAL_S = 0.2


def default_models_dir() -> Path:
    """``SPEAKER_SIDECAR_MODELS_DIR``, or else ``models`` in the user's data folder.

    Raises:
        ModelUnavailable: neither can be told (kind ``not_writable``); a bundle does without.
    """
    chosen = os.environ.get(MODELS_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    folder = platformdirs.user_data_path("speaker-sidecar", appauthor=False)
    if folder.is_absolute():
        return folder / "models"
    # A user without a home. What would be kept there is lost time, no more, where nothing need be.
    bundled = bundle_models_dir()
    if bundled is None:
        raise ModelUnavailable(
            "no home folder is known to keep models in: choose a folder with --models-dir or "
            f"{MODELS_DIR_VARIABLE}",
            "not_writable",
        )
    return bundled


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far a fetch is. ``detail`` says which file, and from where, or what is waited for."""

    done_bytes: int
    total_bytes: int
    detail: str


class State(Enum):
    """What lies at a pinned file's place."""

    INSTALLED = "installed"
    ABSENT = "absent"
    DAMAGED = "damaged"


class WeightStore:
    """The files of assets under one folder.

    Args:
        models_dir: created when something is fetched; may be read-only when nothing has to be.
        offline: never touch the network.
        on_progress: called while fetching, five times a second at most, and once at each end.
        should_stop: asked several times a second; True ends a fetch within 0.3 s.
    """

    def __init__(
        self,
        models_dir: Path,
        *,
        offline: bool = False,
        on_progress: Callable[[FetchProgress], None] = lambda _progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._models_dir = models_dir.expanduser().absolute()
        self._offline = offline
        self._on_progress = on_progress
        self._should_stop = should_stop

    @property
    def models_dir(self) -> Path:
        """The folder, as an absolute path."""
        return self._models_dir

    def path(self, asset: Asset, file: AssetFile) -> Path:
        """The place of a file, whatever lies there."""
        return self._models_dir / asset.id / file.name

    def state(self, asset: Asset, file: AssetFile) -> State:
        """Hash what lies at the file's place.

        Raises:
            ModelUnavailable: it cannot be read (kind ``not_readable``).
        """
        path = self.path(asset, file)
        try:
            wrong_size = file.is_size_exact and path.stat().st_size != file.n_bytes
            right = not wrong_size and sha256_of(path) == file.sha256
        except (FileNotFoundError, NotADirectoryError):
            return State.ABSENT
        except OSError as error:
            message = f"{path} cannot be read: {_told(error)}"
            raise ModelUnavailable(message, "not_readable") from error
        return State.INSTALLED if right else State.DAMAGED

    def ensure(self, asset: Asset) -> dict[str, Path]:
        """Give the path of each of the asset's files by name, checked just now, fetched if needed.

        Safe in several processes at once: one fetches, the others wait and use what it fetched.

        Raises:
            ModelUnavailable: a file is missing or damaged, and could not be fetched; ``kind`` is
                ``offline``, ``damaged`` (and offline), ``download_failed``, ``hash_mismatch``,
                ``disk_full``, ``not_writable``, ``not_readable`` or ``stopped``.
        """
        sweep(self._models_dir)
        for file in asset.files:
            state = self.state(asset, file)
            if state is State.INSTALLED:
                continue
            if self._offline:
                raise self._offline_refusal(asset, file, state)
            self._fetch_missing(asset, file)
            break
        return {file.name: self.path(asset, file) for file in asset.files}

    def _fetch_missing(self, asset: Asset, first: AssetFile) -> None:
        folder = self._models_dir / asset.id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            waiting = FetchProgress(0, asset.n_bytes, "waiting for another process")
            with only_one(folder, lambda: self._wait(waiting)), fetch_folder(folder) as work:
                for file in asset.files:
                    # Again: another process may have fetched it while this one waited.
                    state = self.state(asset, file)
                    if state is State.DAMAGED:
                        _log.warning("%s is damaged; fetching it anew", self.path(asset, file))
                    if state is not State.INSTALLED:
                        self._fetch(asset, file, work)
        except OSError as error:
            raise self._unwritable(asset, first, error) from error

    def _wait(self, waiting: FetchProgress) -> None:
        self._on_progress(waiting)
        self._stop_if_asked()

    def _fetch(self, asset: Asset, file: AssetFile, work: Path) -> None:
        failures = []
        for source in file.sources:
            failure = self._try(source, asset, file, work)
            if failure is None:
                return
            _log.warning("%s from %s: %s", file.name, source.name, failure.reason)
            failures.append((source, failure))
        raise self._all_failed(asset, file, failures)

    def _try(
        self, source: Source, asset: Asset, file: AssetFile, work: Path
    ) -> SourceFailed | None:
        total_bytes = source.transfer_bytes(file)
        detail = f"{file.name} from {source.name}"
        reported_s = -math.inf

        def watch(done_bytes: int) -> None:
            nonlocal reported_s
            self._stop_if_asked()
            if time.perf_counter() - reported_s >= _REPORT_INTERVAL_S:
                reported_s = time.perf_counter()
                # The estimate of a wheel may be exceeded; a total may not.
                progress = FetchProgress(done_bytes, max(done_bytes, total_bytes), detail)
                self._on_progress(progress)

        self._stop_if_asked()
        try:
            fetched = source.fetch(file, work, watch)
            _require_right(fetched, file)
        except SourceFailed as failure:
            return failure
        except OSError as error:
            kind = "disk_full" if is_disk_full(error) else "download_failed"
            return SourceFailed(_told(error), kind)
        self._stop_if_asked()
        sync(fetched)
        move(fetched, self.path(asset, file))
        self._on_progress(FetchProgress(total_bytes, total_bytes, detail))
        return None

    def _stop_if_asked(self) -> None:
        if self._should_stop():
            raise ModelUnavailable("The fetch was stopped; it can be run again.", "stopped")

    def _offline_refusal(self, asset: Asset, file: AssetFile, state: State) -> ModelUnavailable:
        path = self.path(asset, file)
        if state is State.DAMAGED:
            happened = f"{path} is damaged (wrong size or SHA-256), and offline it is not fetched."
            return self._unavailable("damaged", happened, asset, file)
        happened = f"{file.name} of {asset.id} is not installed, and offline it is not fetched."
        return self._unavailable("offline", happened, asset, file)

    def _all_failed(
        self, asset: Asset, file: AssetFile, failures: list[tuple[Source, SourceFailed]]
    ) -> ModelUnavailable:
        kinds = {failure.kind for _source, failure in failures}
        # Where sources failed in different ways: what a person can mend, then what is alarming.
        worst = (kind for kind in ("disk_full", "hash_mismatch") if kind in kinds)
        kind = next(worst, "download_failed")
        tried = "; ".join(f"{source.name}: {failure.reason}" for source, failure in failures)
        happened = f"{file.name} of {asset.id} could not be fetched. Tried {tried}."
        return self._unavailable(kind, happened, asset, file)

    def _unwritable(self, asset: Asset, file: AssetFile, error: OSError) -> ModelUnavailable:
        folder = self._models_dir / asset.id
        kind = "disk_full" if is_disk_full(error) else "not_writable"
        happened = (
            f"{file.name} of {asset.id} is to be fetched, but {folder} cannot be written in:"
            f" {_told(error)}. Choose another folder with --models-dir or {MODELS_DIR_VARIABLE}."
        )
        return self._unavailable(kind, happened, asset, file)

    def _unavailable(
        self, kind: str, happened: str, asset: Asset, file: AssetFile
    ) -> ModelUnavailable:
        missing = [f for f in asset.files if f is file or not self.path(asset, f).exists()]
        wanted = "; ".join(
            f"{self.path(asset, f)} ({'' if f.is_size_exact else 'about '}{f.n_bytes:,} bytes, "
            f"SHA-256 {f.sha256})"
            for f in missing
        )
        message = (
            f"{happened} By hand: put what {asset.homepage} offers at {wanted}. With a network: "
            f'speaker-sidecar models fetch {asset.id} --models-dir "{self._models_dir}"'
        )
        return ModelUnavailable(
            message,
            kind,
            path=str(self.path(asset, file)),
            n_bytes=file.n_bytes,
            sha256=file.sha256,
        )


def _require_right(fetched: Path, file: AssetFile) -> None:
    n_bytes = fetched.stat().st_size
    if file.is_size_exact and n_bytes < file.n_bytes:
        raise SourceFailed(f"it sent {n_bytes:,} of {file.n_bytes:,} bytes")
    sha256 = sha256_of(fetched)
    if sha256 != file.sha256:
        patiently(fetched.unlink)
        raise SourceFailed(f"it sent another file (SHA-256 {sha256})", "hash_mismatch")


def _told(error: OSError) -> str:
    return error.strerror or str(error)
