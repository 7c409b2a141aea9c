"""The folder beside an asset's files in which they are fetched, and what stays in it for next time.

Its user holds the lock of the asset's folder, see ``shared_folder``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sidecar.store.assets import PART_SUFFIX
from sidecar.store.shared_folder import only_one

_NAME = ".fetch"
_KEPT_S = 7 * 86_400


@contextmanager
def fetch_folder(folder: Path) -> Iterator[Path]:
    """The folder to fetch into, below ``folder``: gone in the end, unless the fetch fails.

    Then, as when the process is killed, files that are half there wait in it for the next fetch.

    Raises:
        OSError: ``folder`` cannot be written in.
    """
    work = folder / _NAME
    work.mkdir(exist_ok=True)
    _keep_parts_alone(work)
    try:
        yield work
    except BaseException:
        _keep_parts_alone(work)
        with suppress(OSError):  # parts are in it
            work.rmdir()
        raise
    shutil.rmtree(work, ignore_errors=True)


def _keep_parts_alone(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != PART_SUFFIX:
            with suppress(OSError):
                path.unlink()


def sweep(models_dir: Path) -> None:
    """Remove what was half fetched of any asset and not gone on with for a week."""
    for work in models_dir.glob(f"*/{_NAME}"):
        with suppress(OSError):
            touched_s = max(path.stat().st_mtime for path in (work, *work.iterdir()))
            if time.time() - touched_s > _KEPT_S:
                with only_one(work.parent, _give_way):
                    shutil.rmtree(work)


def _give_way() -> None:
    raise BlockingIOError("another process is fetching")
