"""A sidecar started for a person, who sees how far its start is, and why it fails if it does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from protocol.messages import Notice
from protocol.python import ChildGone, SpeakerSidecar
from sidecar.config import EXIT_SOFTWARE, EXIT_UNAVAILABLE
from sidecar.tools.console import ProgressLine, Refusal, in_megabytes
from sidecar.tools.program import sidecar_argv

# On Windows, Ctrl-C does not end a wait: it is noticed between two of them.
POLL_S = 0.1
_LOG_TAIL_LINES = 8
_VERBS = {"download": "fetches", "load": "loads", "convert": "converts", "warmup": "warms up"}


class Start:
    """How far a child's start is. Fed on the client's thread, read on the main one.

    ``hello_ms`` and ``ready_ms`` count from when it was started, and are 0 before.
    """

    def __init__(self) -> None:
        self._began_at = time.perf_counter()
        self.hello_ms = 0.0
        self.ready_ms = 0.0
        self.fetched_bytes = 0
        self._step, self._detail = "starting the sidecar", ""

    def take(self, notice: Notice) -> None:
        """Take a notification in."""
        params: dict[str, Any] = notice.params
        if notice.method == "hello":
            self.hello_ms = self._elapsed_ms()
        elif notice.method == "health" and params["state"] == "loading":
            self._step, self._detail = f"the sidecar is {params['reason']}", ""
        elif notice.method == "progress" and "phase" in params:
            phase = params["phase"]
            self._step, self._detail = f"the sidecar {_VERBS.get(phase, phase)} the model", ""
            if phase == "download":
                self.fetched_bytes = params["done"]
                self._detail = f"({in_megabytes(self.fetched_bytes, params['total'])})"

    def watch(self, client: SpeakerSidecar, progress: ProgressLine) -> None:
        """Show how far it is until the child serves; raises ``ChildGone`` if it never will."""
        while not self.ready_ms:
            progress.show(self._step, self._detail or f"({self._elapsed_ms() / 1000:.0f} s)")
            try:
                client.wait_until_ready(POLL_S)
            except TimeoutError:
                continue
            self.ready_ms = self._elapsed_ms()
        progress.clear()

    def _elapsed_ms(self) -> float:
        return 1000 * (time.perf_counter() - self._began_at)


@contextmanager
def started_sidecar(
    serve_options: Sequence[str], progress: ProgressLine, *, ends_at_ctrl_c: bool = True
) -> Iterator[tuple[SpeakerSidecar, Start]]:
    """A sidecar that serves; it ends with the ``with`` block.

    A terminal's Ctrl-C ends it, too, unless ``ends_at_ctrl_c`` is False.

    Raises:
        Refusal: it did not start (69), or died inside the block (70).
    """
    # Its log is not to break the progress line, and is kept to explain a death.
    argv = [*sidecar_argv(), *serve_options, "--log-level", "warning"]
    start = Start()
    with tempfile.TemporaryFile() as log:
        try:
            popen = {} if ends_at_ctrl_c else _beyond_ctrl_c()
            client = SpeakerSidecar.start(argv, on_notice=start.take, stderr=log, **popen)
        except OSError as error:
            raise Refusal(f"the sidecar cannot be started: {error}", EXIT_UNAVAILABLE) from error
        try:
            with client:
                start.watch(client, progress)
                yield client, start
        except ChildGone as error:
            message = f"the sidecar died: {error.reason}" if start.ready_ms else str(error)
            if client.health.get("state") != "failed":
                message += tail(log)
            raise Refusal(message, EXIT_SOFTWARE if start.ready_ms else EXIT_UNAVAILABLE) from error


def _beyond_ctrl_c() -> dict[str, Any]:
    """What of ``Popen`` keeps a terminal's Ctrl-C from a child."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def tail(log: IO[bytes]) -> str:
    """The last lines of what a child wrote, each on a line of its own; empty if it was silent."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "".join(f"\n  {line}" for line in lines)
