"""Plays the entries of a file to a child, and sees what comes of each."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import time
from collections.abc import Callable

import msgpack

from protocol.errors import FramingError, SidecarError
from protocol.framing import encode_frame
from protocol.hello import PROTOCOL
from protocol.messages import Failure, Notice, Result, decode_from_child
from protocol.payload import unpack
from protocol.python.child import Child
from sidecar.tools.harness.entries import Entry, ResultField, Stored
from sidecar.tools.harness.json_file import Json
from sidecar.tools.harness.matching import differences
from sidecar.tools.harness.report import Report

# On Windows, Ctrl-C does not end a wait: it is noticed between two of them.
_POLL_S = 0.1
_SERVING = {"method": "health", "params": {"state": {"one_of": ["ready", "degraded"]}}}
_EXIT_S = 10.0  # from the end of the output to that of the process


class StartFailed(Exception):
    """The child did not come to serve; the message says why."""


class _NotSent(Exception):
    """What an entry would send cannot be sent; the message says why."""


class Session:
    """The entries that are played to one child, at most ``jobs`` awaiting their answers at a time.

    ``timeout_s`` is the longest wait for the start, an answer, a notification or the end.
    Afterwards the ``entries`` and the ``faults`` tell what came of it.
    """

    def __init__(self, entries: list[Entry], jobs: int, timeout_s: float, report: Report) -> None:
        self.entries = entries
        self.faults: list[str] = []
        self.exit_code: int | None = None
        self._jobs, self._timeout_s, self._report = jobs, timeout_s, report
        # When it came, and a payload, or what was wrong with the output at its end.
        self._events: queue.SimpleQueue[tuple[float, bytes | str | None]] = queue.SimpleQueue()
        self._waiting: list[Entry] = []
        self._is_input_closed = False
        self._notices: list[dict[str, Json]] = []

    def take(self, event: bytes | str | None) -> None:
        """Take a payload, or the fault of the output's end, if any; on any thread."""
        self._events.put((time.perf_counter(), event))

    def play(self, child: Child) -> None:
        """Play all entries and end the child; raises ``StartFailed`` if it never serves."""
        self._child = child
        try:
            for entry in self.entries:
                self._wait_until(self._events.empty, "the child did not fall silent")
                self._play(entry)
            self._wait_until(lambda: not self._waiting, "an answer did not come")
            child.close_input()
            self._wait_until(lambda: False, "the child did not end")
        except TimeoutError as timeout:
            if not self._has_come(_SERVING):
                raise StartFailed(str(timeout)) from timeout
            self.faults.append(str(timeout))
        self._finish()

    @property
    def _ending(self) -> str:
        return f"the child ended with the exit code {self.exit_code}"

    def _wait_until(self, holds: Callable[[], bool], failing: str) -> bool:
        """Take in what comes until ``holds()``, or the child has ended; if it holds."""
        deadline_at = time.perf_counter() + self._timeout_s
        while not holds() and self.exit_code is None:
            left_s = deadline_at - time.perf_counter()
            if left_s <= 0:
                raise TimeoutError(f"{failing} within {self._timeout_s:g} s")
            with contextlib.suppress(queue.Empty):
                self._take(*self._events.get(timeout=min(_POLL_S, left_s)))
        return holds()

    def _play(self, entry: Entry) -> None:
        if entry.when != "now":
            self._wait_until_serving()
        if entry.when == "idle":
            self._wait_until(lambda: not self._waiting, "an answer did not come")
        elif entry.when == "ready" and entry.wanted != "nothing":
            self._wait_until(lambda: len(self._waiting) < self._jobs, "an answer did not come")
        missing = f"what {entry.title} waits for did not come"
        try:
            if entry.kind != "wait_for":
                self._send(entry)
            elif not self._wait_until(lambda: self._has_come(entry.body), missing):
                entry.differences.append(f"{missing}: {self._ending}")
        except (_NotSent, FramingError) as reason:
            entry.differences.append(f"not sent: {reason}")
        entry.is_played = True

    def _wait_until_serving(self) -> None:
        if not self._wait_until(lambda: self._has_come(_SERVING), "it did not serve"):
            reason = self._notices[-1]["params"].get("reason") if self._notices else None
            raise StartFailed(f"{self._ending}: {reason}" if reason else self._ending)

    def _has_come(self, wanted: Json) -> bool:
        return any(not list(differences(wanted, notice)) for notice in self._notices)

    def _send(self, entry: Entry) -> None:
        if self._is_input_closed or self.exit_code is not None:
            raise _NotSent("the child's input has ended")
        body = data = entry.body
        if entry.kind not in {"frame", "raw", "close"}:
            # msgpack asks for what it cannot pack.
            data = msgpack.packb(body, default=self._value_of)
            body = msgpack.unpackb(data, strict_map_key=False)
        if entry.kind not in {"raw", "close"}:
            # What a header can say; whether the child takes it is for the child to say.
            data = encode_frame(data, 2**32 - 1)
        entry.sent_at = time.perf_counter()
        if entry.wanted != "nothing":
            self._waiting.append(entry)
        self._report.sent(entry, body)
        if entry.kind == "close":
            self._is_input_closed = True
            self._child.close_input()
        else:
            self._child.write(data)

    def _value_of(self, earlier: Stored | ResultField) -> Json:
        self._wait_until(lambda: earlier.entry not in self._waiting, "an answer did not come")
        try:
            return earlier.value()
        except (LookupError, TypeError) as error:
            raise _NotSent(f"{earlier.entry.title} has no {earlier}") from error

    def _take(self, at: float, event: bytes | str | None) -> None:
        if not isinstance(event, bytes):
            self._take_end(event)
            return
        try:
            message, decoded = unpack(event), decode_from_child(event)
        except SidecarError as error:
            self._report.received(at, event)
            self.faults.append(f"the child sent what is not of this protocol: {error.message}")
            return
        entry = None if isinstance(decoded, Notice) else self._find_waiting(decoded)
        if entry is not None:
            self._waiting.remove(entry)
            entry.take_answer(event, at)
        self._report.received(at, message, entry)
        if isinstance(decoded, Notice):
            self._take_notice(decoded.method, decoded.params)
        elif entry is None:
            self.faults.append(f"an answer came for which no entry waits: its id is {decoded.id!r}")

    def _take_notice(self, method: str, params: dict[str, Json]) -> None:
        if not self._notices and (method != "hello" or params.get("protocol") != PROTOCOL):
            raise StartFailed(f"its first frame is no hello of protocol {PROTOCOL}")
        self._notices.append({"method": method, "params": params})

    def _find_waiting(self, answer: Result | Failure) -> Entry | None:
        """The entry that ``answer`` answers.

        With the id nil: the last one whose id was a duplicate; else the first one whose id no
        answer can carry; else the first one whose bytes the file chose. The child refuses in order.
        """
        duplicate = answer.data.get("request_id") if isinstance(answer, Failure) else None
        wanted_id = duplicate if answer.id is None else answer.id
        found = [entry for entry in self._waiting if entry.answer_id == wanted_id]
        if wanted_id is None:
            found += [entry for entry in self._waiting if entry.kind != "method"]
        elif answer.id is None:
            found.reverse()
        return found[0] if found else None

    def _take_end(self, fault: str | None) -> None:
        if fault is not None:
            self.faults.append(fault)
        try:
            self.exit_code = self._child.process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self.faults.append(f"the child lived on for {_EXIT_S:g} s after its output's end")
            self.exit_code = self._child.kill()

    def _finish(self) -> None:
        reason = self.faults[-1] if self.exit_code is None else self._ending
        for entry in self.entries:
            if not entry.is_played:
                entry.differences.append(f"not played: {reason}")
            elif entry in self._waiting:
                entry.differences.append(f"no answer: {reason}")
            if "exit" in entry.expect:
                entry.differences += differences(entry.expect["exit"], self.exit_code, "exit")
        if self.exit_code and not any("exit" in entry.expect for entry in self.entries):
            self.faults.append(f"{self._ending}, expected 0")
