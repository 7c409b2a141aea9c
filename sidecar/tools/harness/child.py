"""The child as the harness needs it: any bytes in, every payload out, in the order they came."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from protocol.errors import FramingError
from protocol.framing import FrameDecoder

_READ_BYTES = 2**16
_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """A payload that came at ``at`` (monotonic seconds)."""

    at: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The child's output ended; ``fault`` says what was wrong with it, if anything."""

    at: float
    fault: str | None


class Child:
    """A process between pipes; its log goes to our standard error. ``with`` kills what is left.

    ``events`` yields what it says, last an ``Ended``. ``write`` and ``close_input`` never block:
    a child need not read.

    Raises:
        OSError: the command cannot be started.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.events: queue.SimpleQueue[Received | Ended] = queue.SimpleQueue()
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._threads = [
            threading.Thread(target=target, name=f"harness-{target.__name__}", daemon=True)
            for target in (self._write_all, self._read_all)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Child:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.close_input()
        for thread in self._threads:
            thread.join(_END_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def write(self, data: bytes) -> None:
        """Send ``data`` behind what was sent before; dropped if the child is gone."""
        self._to_write.put(data)

    def close_input(self) -> None:
        """End the child's input behind what was sent before."""
        self._to_write.put(None)

    def _write_all(self) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        while (data := self._to_write.get()) is not None:
            rest = memoryview(data)
            # If it fails the child is gone, which its output's end tells.
            with contextlib.suppress(OSError):
                while rest:
                    rest = rest[pipe.write(rest) :]
        with contextlib.suppress(OSError):
            pipe.close()

    def _read_all(self) -> None:
        pipe = self.process.stdout
        assert pipe is not None
        decoder = FrameDecoder()
        fault = None
        try:
            while data := pipe.read(_READ_BYTES):
                for payload in decoder.feed(data):
                    self.events.put(Received(time.monotonic(), payload))
            if decoder.pending_bytes:
                fault = f"the child's output ends {decoder.pending_bytes} bytes into a frame"
        except FramingError as error:
            # The protocol asks a host to end such a child.
            self.process.kill()
            fault = f"the child's output is not of this protocol: {error}"
        self.events.put(Ended(time.monotonic(), fault))
