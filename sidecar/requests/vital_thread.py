"""A thread that the process cannot do without."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from protocol.errors import InternalError
from sidecar.requests.lifecycle import Lifecycle

_log = logging.getLogger(__name__)


def vital_thread(work: Callable[[], None], name: str, lifecycle: Lifecycle) -> threading.Thread:
    """A thread that does ``work``; if that raises, the process has failed."""

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - without its threads a pipeline answers nobody
            _log.critical("the %s thread died", name, exc_info=error)
            lifecycle.failed(InternalError(f"the {name} thread died: {error!r}"))

    return threading.Thread(target=run, name=name, daemon=True)
