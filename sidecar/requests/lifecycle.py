"""What the process's owner is told and asked, by the pipeline and by the dispatcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from protocol.errors import SidecarError
from protocol.params import RequestId, ShutdownParams
from protocol.reports import Progress

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.engine.encoder import Encoder


class Lifecycle(Protocol):
    """The process, from its start to its end; the server is one."""

    # By the pipeline's threads

    def is_stopping(self) -> bool:
        """Whether loading need not go on."""

    def libraries_imported(self) -> None:
        """Every native library is there; the device worker tells it once."""

    def loading(self, progress: Progress) -> None:
        """How far the load is; the device worker tells it."""

    def serving(self, encoder: Encoder) -> None:
        """The model serves; the device worker tells it once."""

    def failed(self, error: SidecarError) -> None:
        """A thread is broken, and with it the process; any thread tells it."""

    # By the dispatcher, on the reader's thread

    def shut_down(self, request_id: RequestId, params: ShutdownParams) -> None:
        """Begin to end; this request is answered last.

        Raises:
            InvalidRequest: a shutdown is under way.
        """

    def answers_last(self, request_id: RequestId) -> bool:
        """Whether this id is that of the shutdown which is under way."""

    def wake_for_deadline(self) -> None:
        """A deadline was set that may be the next one."""
