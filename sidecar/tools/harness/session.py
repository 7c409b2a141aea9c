"""Plays the entries of a file to a child, and sees what comes of each."""

from __future__ import annotations

import contextlib
import itertools
import queue
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

import msgpack

from protocol.errors import SidecarError
from protocol.framing import encode_frame
from protocol.hello import JSONRPC, PROTOCOL
from protocol.messages import Failure, Notice, Result, decode_from_child
from protocol.payload import unpack
from sidecar.tools.harness.child import Child, Ended, Received
from sidecar.tools.harness.course import (
    Course,
    NoEmbedding,
    find_stored,
    put_stored,
)
from sidecar.tools.harness.entry import (
    Cancel,
    Close,
    Entry,
    Request,
    WaitFor,
    Write,
    as_answer_id,
)

# On Windows, Ctrl-C does not end a wait: it is noticed between two of them.
_POLL_S = 0.1
_EXIT_S = 10.0  # from the end of the output to that of the process
_SERVING = ("ready", "degraded")


class StartFailed(Exception):
    """The child did not come to serve; the message says why."""


class _TimedOut(Exception):
    """A wait took longer than the limit; the message says which."""


class Witness(Protocol):
    """Sees what is sent and what comes, in that order; ``at_ms`` counts from the child's start."""

    def sent(self, at_ms: float, shown: dict[str, object], course: Course) -> None:
        """Something was sent; ``shown`` describes it."""

    def received(self, at_ms: float, shown: object, course: Course | None) -> None:
        """Something came: a message or, where it is none, bytes. An answer has its course."""


class Session:
    """One child and the entries that are played to it.

    Args:
        child: just started.
        entries: played in their order.
        jobs: how many may wait for their answers at a time.
        timeout_s: the longest wait for the start, an answer, a notification or the end.
        witness: sees the messages.
    """

    def __init__(
        self,
        child: Child,
        entries: Sequence[Entry],
        *,
        jobs: int,
        timeout_s: float,
        witness: Witness,
    ) -> None:
        self.courses = [Course(entry) for entry in entries]
        self.faults: list[str] = []
        self.exit_code: int | None = None
        self._child = child
        self._jobs = jobs
        self._timeout_s = timeout_s
        self._witness = witness
        self._waiting: list[Course] = []
        self._notices: list[dict[str, object]] = []
        self._health: dict[str, object] = {}
        self._has_served = False
        self._is_input_closed = False
        taken = [c.entry.action.id for c in self.courses if isinstance(c.entry.action, Request)]
        self._ids: Iterator[int] = (number for number in itertools.count(1) if number not in taken)

    def play(self) -> None:
        """Play all entries and end the child; ``courses`` and ``faults`` tell what came of it.

        Raises:
            StartFailed: the child did not come to serve, and an entry needed it to.
        """
        try:
            for course in self.courses:
                self._take_what_came()
                self._play(course)
            self._wait_until(lambda: not self._waiting, "an answer")
            self._child.close_input()
            self._wait_until(lambda: False, "the child's end")
        except _TimedOut as timeout:
            self.faults.append(str(timeout))
            self._fail_unfinished(str(timeout))
        else:
            self._fail_unfinished(self._ending)
            self._check_exit()

    @property
    def _ending(self) -> str:
        return f"the child ended with the exit code {self.exit_code}"

    # Playing

    def _play(self, course: Course) -> None:
        entry = course.entry
        if entry.when != "now":
            self._wait_until_serving()
            if entry.expectation.wanted != "nothing":
                self._wait_until(lambda: len(self._waiting) < self._jobs, "an answer")
        if entry.when == "idle":
            self._wait_until(lambda: not self._waiting, "an answer")
        match entry.action:
            case WaitFor() as wanted:
                self._wait_for_notice(course, wanted)
                return
            case Request(params=params):
                needed = [self.courses[number - 1] for number in find_stored(params)]
                self._wait_until(lambda: not any(c.is_waiting() for c in needed), "an answer")
        course.is_played = True
        if self.exit_code is not None:
            course.differences.append(f"not sent: {self._ending}")
        elif self._is_input_closed:
            course.differences.append("not sent: the input had been closed")
        else:
            self._act(course)

    def _wait_until_serving(self) -> None:
        try:
            self._wait_until(lambda: self._has_served, "the start")
        except _TimedOut as timeout:
            raise StartFailed(f"it did not serve within {self._timeout_s:g} s") from timeout
        if not self._has_served:
            reason = self._health.get("reason")
            raise StartFailed(self._ending + (f": {reason}" if reason else ""))

    def _wait_for_notice(self, course: Course, wanted: WaitFor) -> None:
        def has_come() -> bool:
            return any(not list(wanted.notice(notice, "")) for notice in self._notices)

        self._wait_until(has_come, wanted.described)
        course.is_played = True
        if not has_come():
            course.differences.append(f"{wanted.described} did not come: {self._ending}")

    def _act(self, course: Course) -> None:
        match course.entry.action:
            case Request(method=method, params=params, id=own_id):
                request_id = next(self._ids) if own_id is None else own_id
                message = {"jsonrpc": JSONRPC, "id": request_id, "method": method}
                if params is not None:
                    try:
                        message["params"] = put_stored(params, self.courses)
                    except NoEmbedding as error:
                        course.differences.append(f"not sent: {error}")
                        return
                course.answer_id = as_answer_id(request_id)
                self._send_message(course, message)
            case Cancel(number=number):
                target = self.courses[number - 1]
                if target.sent_at is None:
                    course.differences.append(f"not sent: nor was {target.entry.title}")
                    return
                params = {"id": target.answer_id}
                message = {"jsonrpc": JSONRPC, "method": "cancel", "params": params}
                self._send_message(course, message)
            case Write(data=data, shown=shown, id=answer_id):
                course.answer_id = answer_id
                self._send(course, data, shown)
            case Close():
                self._is_input_closed = True
                self._witness.sent(self._ms_until(time.monotonic()), {"close": True}, course)
                self._child.close_input()

    def _send_message(self, course: Course, message: dict[str, object]) -> None:
        payload = cast("bytes", msgpack.packb(message))
        self._send(course, encode_frame(payload, 2**32 - 1), {"message": message})

    def _send(self, course: Course, data: bytes, shown: dict[str, object]) -> None:
        course.sent_at = time.monotonic()
        if course.is_waiting():
            self._waiting.append(course)
        self._witness.sent(self._ms_until(course.sent_at), shown, course)
        self._child.write(data)

    def _ms_until(self, at: float) -> float:
        return 1000 * (at - self._child.started_at)

    # What comes

    def _wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Take in what comes until ``holds()``, or the child has ended."""
        deadline_at = time.monotonic() + self._timeout_s
        while not holds() and self.exit_code is None:
            left_s = deadline_at - time.monotonic()
            if left_s <= 0:
                raise _TimedOut(f"{what} did not come within {self._timeout_s:g} s")
            with contextlib.suppress(queue.Empty):
                self._take(self._child.events.get(timeout=min(_POLL_S, left_s)))

    def _take_what_came(self) -> None:
        with contextlib.suppress(queue.Empty):
            while self.exit_code is None:
                self._take(self._child.events.get_nowait())

    def _take(self, event: Received | Ended) -> None:
        if isinstance(event, Ended):
            self._take_end(event)
            return
        at_ms = self._ms_until(event.at)
        try:
            shown: object = unpack(event.payload)
            message = decode_from_child(event.payload)
        except SidecarError as error:
            self._witness.received(at_ms, event.payload, None)
            self.faults.append(f"the child sent what is not of this protocol: {error.message}")
            return
        if isinstance(message, Notice):
            self._witness.received(at_ms, shown, None)
            self._take_notice(message)
            return
        course = self._find_waiting(message)
        if course is not None:
            assert course.sent_at is not None
            self._waiting.remove(course)
            course.answer = message
            course.took_ms = 1000 * (event.at - course.sent_at)
            course.check_answer()
        else:
            self.faults.append(f"an answer came for which no entry waits: its id is {message.id!r}")
        self._witness.received(at_ms, shown, course)

    def _take_notice(self, notice: Notice) -> None:
        params = notice.params
        if not self._notices and notice.method != "hello":
            self.faults.append(f"the first frame is no hello but {notice.method!r:.60}")
        if notice.method == "hello" and params.get("protocol") != PROTOCOL:
            raise StartFailed(f"it speaks protocol {params.get('protocol')}, not {PROTOCOL}")
        if notice.method == "health":
            self._health = params
            self._has_served = self._has_served or params.get("state") in _SERVING
        self._notices.append({"method": notice.method, "params": params})

    def _find_waiting(self, answer: Result | Failure) -> Course | None:
        """The entry that ``answer`` answers.

        With the id nil that is the one whose id was a duplicate; else the first one without an id
        that can be answered; else the first one whose bytes the file chose. The child reads in
        order, and refuses at once.
        """
        if answer.id is not None:
            return next((c for c in self._waiting if c.answer_id == answer.id), None)
        assert isinstance(answer, Failure)
        duplicate = answer.data.get("request_id")
        if duplicate is not None:
            return next((c for c in reversed(self._waiting) if c.answer_id == duplicate), None)
        without_id = (c for c in self._waiting if c.answer_id is None)
        chosen = (c for c in self._waiting if isinstance(c.entry.action, Write))
        return next(itertools.chain(without_id, chosen), None)

    # The end

    def _take_end(self, ended: Ended) -> None:
        if ended.fault is not None:
            self.faults.append(ended.fault)
        try:
            self.exit_code = self._child.process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self.faults.append(f"the child lived on for {_EXIT_S:g} s after its output's end")
            self._child.process.kill()
            self.exit_code = self._child.process.wait()

    def _fail_unfinished(self, reason: str) -> None:
        for course in self.courses:
            if not course.is_played:
                course.differences.append(f"not played: {reason}")
            elif course.is_waiting():
                course.differences.append(f"no answer: {reason}")
            elif self.exit_code is None and course.entry.expectation.exit_code is not None:
                course.differences.append(f"the child did not end: {reason}")

    def _check_exit(self) -> None:
        assert self.exit_code is not None
        expecting = [c for c in self.courses if c.entry.expectation.exit_code is not None]
        for course in expecting:
            course.check_exit(self.exit_code)
        if self.exit_code and not expecting:
            self.faults.append(f"{self._ending}, expected 0")
