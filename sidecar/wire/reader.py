"""Reads frames from the input, which nothing else touches."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from protocol.framing import FrameDecoder
from sidecar.wire.streams import Streams

_READ_BYTES = 256 * 1024
_POLL_S = 0.01


class FrameReader(threading.Thread):
    """Reads frames until the input ends, and hands each payload on with the time of its last byte.

    Until ``may_wait`` is set, it reads only what is there, so that no read ever waits.

    Args:
        streams: where to read.
        max_frame_bytes: the longest payload.
        on_payload: called with each payload and the ``time.perf_counter()`` at which it was whole.
        on_end: called once, with what ended the reading (a ``FramingError``, or a fault of
            ``on_payload``), or None at the input's end, and the bytes left of a cut frame.
        before_read: called before each read and each payload; blocks for as long as reading must
            wait.
    """

    def __init__(
        self,
        streams: Streams,
        max_frame_bytes: int,
        on_payload: Callable[[bytes, float], None],
        on_end: Callable[[Exception | None, int], None],
        before_read: Callable[[], None],
    ) -> None:
        super().__init__(name="reader", daemon=True)
        self._streams = streams
        self._decoder = FrameDecoder(max_frame_bytes)
        self._on_payload = on_payload
        self._on_end = on_end
        self._before_read = before_read
        self.may_wait = threading.Event()

    def run(self) -> None:
        """Read until the end; never raises."""
        fault: Exception | None = None
        try:
            self._read_to_end()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more will be read
            fault = error
        self._on_end(fault, self._decoder.pending_bytes)

    def _read_to_end(self) -> None:
        self._before_read()
        # What was read is no local of this frame, which would hold it until the next read returns.
        while self._read_some():
            pass

    def _read_some(self) -> bool:
        data = self._read()
        received_at = time.perf_counter()
        for payload in self._decoder.feed(data):
            self._on_payload(payload, received_at)
            self._before_read()
        return bool(data)

    def _read(self) -> bytes:
        while not self.may_wait.is_set() and not self._streams.has_input():
            self.may_wait.wait(_POLL_S)
        try:
            return os.read(self._streams.input_fd, _READ_BYTES)
        except OSError:
            # A host that dies can make the read fail instead of ending it: EINVAL, ECONNRESET ...
            return b""
