"""Plays the entries of a file to a child, and sees what comes of each."""

from __future__ import annotations

import contextlib
import itertools
import queue
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

import msgpack

from protocol.errors import SidecarError
from protocol.framing import encode_frame
from protocol.hello import JSONRPC, PROTOCOL
from protocol.messages import Failure, Notice, Result, decode_from_child
from protocol.payload import unpack
from protocol.python.child import Child
from sidecar.tools.harness.entries import Entry
from sidecar.tools.harness.json_file import Json
from sidecar.tools.harness.matching import differences
from sidecar.tools.harness.report import Report
from sidecar.tools.harness.values import Stored, embedding_in

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

    def __init__(
        self, entries: Sequence[Entry], *, jobs: int, timeout_s: float, report: Report
    ) -> None:
        self.entries = entries
        self.faults: list[str] = []
        self.exit_code: int | None = None
        self._jobs, self._timeout_s, self._report = jobs, timeout_s, report
        # When it came, and a payload, or what was wrong with the output at its end.
        self._events: queue.SimpleQueue[tuple[float, bytes | str | None]] = queue.SimpleQueue()
        self._waiting: list[Entry] = []
        self._notices: list[dict[str, Json]] = []
        taken = [entry.answer_id for entry in entries if entry.kind == "method"]
        self._ids = (number for number in itertools.count(1) if number not in taken)

    def take(self, event: bytes | str | None) -> None:
        """Take a payload, or the fault of the output's end, if any; on any thread."""
        self._events.put((time.monotonic(), event))

    def play(self, child: Child) -> None:
        """Play all entries and end the child; raises ``StartFailed`` if it never serves."""
        self._child = child
        try:
            for entry in self.entries:
                self._wait_until(self._events.empty, "silence")
                self._play(entry)
            self._wait_until(lambda: not self._waiting, "an answer")
            child.close_input()
            self._wait_until(lambda: False, "the child's end")
        except TimeoutError as timeout:
            self.faults.append(str(timeout))
            self._finish(str(timeout))
        else:
            self._finish(self._ending)

    @property
    def _ending(self) -> str:
        return f"the child ended with the exit code {self.exit_code}"

    def _wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Take in what comes until ``holds()``, or the child has ended."""
        deadline_at = time.monotonic() + self._timeout_s
        while not holds() and self.exit_code is None:
            left_s = deadline_at - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"{what} did not come within {self._timeout_s:g} s")
            with contextlib.suppress(queue.Empty):
                self._take(*self._events.get(timeout=min(_POLL_S, left_s)))

    # Playing

    def _play(self, entry: Entry) -> None:
        if entry.when != "now":
            self._wait_until_serving()
            if entry.wanted != "nothing":
                self._wait_until(lambda: len(self._waiting) < self._jobs, "an answer")
        if entry.when == "idle":
            self._wait_until(lambda: not self._waiting, "an answer")
        try:
            if entry.kind == "wait_for":
                self._wait_until(lambda: self._has_come(entry.body), entry.awaited)
                if not self._has_come(entry.body):
                    entry.differences.append(f"{entry.awaited} did not come: {self._ending}")
            else:
                self._act(entry)
        except _NotSent as reason:
            entry.differences.append(f"not sent: {reason}")
        entry.is_played = True

    def _wait_until_serving(self) -> None:
        try:
            self._wait_until(lambda: self._has_come(_SERVING), "the start")
        except TimeoutError as timeout:
            raise StartFailed(f"it did not serve within {self._timeout_s:g} s") from timeout
        if not self._has_come(_SERVING):
            reason = self._notices[-1]["params"].get("reason") if self._notices else None
            raise StartFailed(f"{self._ending}: {reason}" if reason else self._ending)

    def _has_come(self, wanted: Json) -> bool:
        return any(not list(differences(wanted, notice)) for notice in self._notices)

    def _embedding_of(self, stored: Stored) -> dict[str, Json]:
        entry = self.entries[stored.number - 1]
        self._wait_until(lambda: not entry.is_waiting, "an answer")
        embedding = embedding_in((entry.answer or {}).get("result", {}), stored.item)
        if embedding is None:
            which = "" if stored.item is None else f" at item {stored.item}"
            raise _NotSent(f"{entry.title} has no embedding{which}")
        return embedding

    def _act(self, entry: Entry) -> None:
        body = entry.body
        if self.exit_code is not None:
            raise _NotSent(self._ending)
        if any(sent.kind == "close" and sent.sent_at for sent in self.entries):
            raise _NotSent("the input had been closed")
        if entry.kind == "cancel":
            if body.sent_at is None:
                raise _NotSent(f"nor was {body.title}")
            body = {"jsonrpc": JSONRPC, "method": "cancel", "params": {"id": body.answer_id}}
        elif entry.kind == "method" and "id" not in body:
            entry.answer_id = next(self._ids)
            body = {"jsonrpc": JSONRPC, "id": entry.answer_id, **body}
        payload = body
        if entry.kind not in {"frame", "raw", "close"}:
            # msgpack asks for what it cannot pack: the embedding of an earlier entry.
            payload = msgpack.packb(body, default=self._embedding_of)
            body = msgpack.unpackb(payload, strict_map_key=False)
        entry.sent_at = time.monotonic()
        if entry.is_waiting:
            self._waiting.append(entry)
        self._report.sent(entry, body)
        if entry.kind == "close":
            self._child.close_input()
        elif entry.kind == "raw":
            self._child.write(payload)
        else:
            # What a header can say; whether the child takes it is for the child to say.
            self._child.write(encode_frame(payload, 2**32 - 1))

    # What comes

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
        if isinstance(decoded, Notice):
            self._report.received(at, message)
            self._take_notice(decoded.method, decoded.params)
            return
        entry = self._find_waiting(decoded)
        if entry is None:
            self.faults.append(f"an answer came for which no entry waits: its id is {decoded.id!r}")
        else:
            self._waiting.remove(entry)
            entry.take_answer(message, at)
        self._report.received(at, message, entry)

    def _take_notice(self, method: str, params: dict[str, Json]) -> None:
        if not self._notices and method != "hello":
            self.faults.append(f"the first frame is no hello but {method!r:.60}")
        if method == "hello" and params.get("protocol") != PROTOCOL:
            raise StartFailed(f"it speaks protocol {params.get('protocol')}, not {PROTOCOL}")
        self._notices.append({"method": method, "params": params})

    def _find_waiting(self, answer: Result | Failure) -> Entry | None:
        """The entry that ``answer`` answers.

        With the id nil that is the one whose id was a duplicate; else the first one without an id
        that can be answered; else the first one whose bytes the file chose. The child reads in
        order, and refuses at once.
        """
        waiting: Iterator[Entry] = iter(self._waiting)
        if answer.id is not None:
            return next((entry for entry in waiting if entry.answer_id == answer.id), None)
        assert isinstance(answer, Failure)
        duplicate = answer.data.get("request_id")
        if duplicate is not None:
            waiting = reversed(self._waiting)
            return next((entry for entry in waiting if entry.answer_id == duplicate), None)
        candidates = [entry for entry in waiting if entry.answer_id is None]
        candidates += [entry for entry in self._waiting if entry.kind != "method"]
        return candidates[0] if candidates else None

    def _take_end(self, fault: str | None) -> None:
        if fault is not None:
            self.faults.append(fault)
        try:
            self.exit_code = self._child.process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self.faults.append(f"the child lived on for {_EXIT_S:g} s after its output's end")
            self.exit_code = self._child.kill()

    def _finish(self, reason: str) -> None:
        for entry in self.entries:
            if not entry.is_played:
                entry.differences.append(f"not played: {reason}")
            elif entry.is_waiting:
                entry.differences.append(f"no answer: {reason}")
            if "exit" in entry.expect and self.exit_code is not None:
                exit_code = entry.expect["exit"]
                entry.differences += differences(exit_code, self.exit_code, "the exit code")
            elif "exit" in entry.expect and not entry.differences:
                entry.differences.append(f"the child did not end: {reason}")
        if self.exit_code and not any("exit" in entry.expect for entry in self.entries):
            self.faults.append(f"{self._ending}, expected 0")
