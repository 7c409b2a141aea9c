"""A host for tests on top of the real one: hostile bytes, ends that close, and no reading."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgpack

from protocol.messages import Failure, Notice, Result, decode_from_child
from protocol.python.child import Child

ROOT = Path(__file__).resolve().parent.parent
# Far above what anything takes: a test that waits this long has failed.
PATIENCE_S = 60.0


class RawHost(Child):
    """A child and what it said, in order. Leaving the ``with`` block kills it, if it still runs.

    Args:
        argv: the command.
        environment: variables beside this process's own.
        channel: what the child's stdin and stdout are, ``pipe`` or (as Node does) ``socketpair``.
        popen: further arguments of ``subprocess.Popen``.
    """

    def __init__(self, argv, environment=None, channel="pipe", **popen):
        self._ids = itertools.count(10**9)  # apart from ids that tests choose
        self.messages = []
        self.errors = b""
        self.may_read = threading.Event()
        self.may_read.set()
        self.may_read_errors = threading.Event()
        self.may_read_errors.set()
        process = _start(
            argv, channel, {"cwd": ROOT, **popen}, {**os.environ, **(environment or {})}
        )
        super().__init__(process, lambda payload: self.messages.append(decode_from_child(payload)))
        self._log_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._log_reader.start()

    def __exit__(self, *_):
        self.may_read.set()
        self.may_read_errors.set()
        self.kill()
        self._log_reader.join(PATIENCE_S)
        self.process.stderr.close()

    # Towards the child

    def send(self, data):
        """Write ``data``, and wait until it is written; a child that is gone is no error here."""
        rest = memoryview(data)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while rest:
                rest = rest[os.write(self.input_fd, rest) :]

    def request(self, method, params=None, request_id=None):
        """Send a request; its id."""
        request_id = next(self._ids) if request_id is None else request_id
        self.send(frame(request(request_id, method, params)))
        return request_id

    def cancel(self, request_id):
        self.send(frame({"jsonrpc": "2.0", "method": "cancel", "params": {"id": request_id}}))

    def shut_down_input(self):
        """End the stream of a socket without closing it, as Node's ``stdin.end()`` does."""
        with socket.socket(fileno=os.dup(self.input_fd)) as end:
            end.shutdown(socket.SHUT_WR)

    def close_output(self):
        """Close the end that the child's output comes to; only where ``may_read`` is clear."""
        self.process.stdout.close()

    @property
    def input_fd(self):
        return self.process.stdin.fileno()

    # From the child

    @property
    def answers(self):
        return [m for m in list(self.messages) if not isinstance(m, Notice)]

    def notices(self, method):
        return [
            m.params for m in list(self.messages) if isinstance(m, Notice) and m.method == method
        ]

    @property
    def states(self):
        return [health["state"] for health in self.notices("health")]

    def answers_to(self, request_id):
        return [m for m in self.answers if m.id == request_id]

    def wait_until(self, holds, what, timeout_s=PATIENCE_S):
        """Wait for ``holds()``, asked after each message and each piece of the log."""
        if not super().wait_until(holds, timeout_s):
            why = "the child ended" if self.has_ended else "not in time"
            raise AssertionError(f"{what}: {why}; {self}")

    def answer(self, request_id):
        self.wait_until(lambda: self.answers_to(request_id), f"no answer to {request_id!r}")
        return self.answers_to(request_id)[0]

    def call(self, method, params=None):
        """The answer to a request."""
        return self.answer(self.request(method, params))

    def wait_for_hello(self):
        self.wait_until(lambda: self.notices("hello"), "no hello")
        return self.notices("hello")[0]

    def wait_for_state(self, *states):
        self.wait_until(lambda: set(states) & set(self.states), f"never {states}")

    def wait_for_log(self, text, times=1):
        self.wait_until(lambda: self.errors.count(text.encode()) >= times, f"never logged {text!r}")

    def wait_until_queued(self, n_items):
        """Ask until so many audios wait and none is between two stages.

        One that is being decoded does not wait, but between two of them all do for a moment: so
        the answer must be the same many times in a row.
        """
        ends_at = time.perf_counter() + PATIENCE_S
        n_in_a_row = 0
        while n_in_a_row < 200:
            queued = self.call("metrics").result["queued"]
            n_in_a_row = n_in_a_row + 1 if queued == n_items else 0
            assert time.perf_counter() < ends_at, f"{queued} are queued; {self}"

    def wait(self, timeout_s=PATIENCE_S):
        """The exit code, and the stream's end; the stream must be whole frames to its last byte."""
        exit_code = self.process.wait(timeout_s)
        self.wait_until(lambda: self.has_ended, "its output does not end", timeout_s)
        self._log_reader.join(timeout_s)
        assert self.fault is None, f"{self.fault}; {self}"
        return exit_code

    def finish(self):
        """Close the input and wait; the exit code."""
        self.close_input()
        return self.wait()

    def __str__(self):
        answers = "\n".join(f"  {message!r:.300}" for message in self.messages[-20:])
        return f"messages:\n{answers}\nlog:\n{self.errors[-4000:].decode(errors='replace')}"

    def _read(self):
        self.may_read.wait()
        return super()._read()

    def _read_errors(self):
        while data := os.read(self.process.stderr.fileno(), 2**16):
            self.errors += data
            self.notify()
            self.may_read_errors.wait()


def _start(argv, channel, popen, environment):
    """The process; its ``stdin`` and ``stdout`` are our ends of the channel, not buffered."""
    if channel == "socketpair":
        (child_in, our_in), (our_out, child_out) = (
            [end.detach() for end in socket.socketpair()] for _ in range(2)
        )
    else:
        (child_in, our_in), (our_out, child_out) = os.pipe(), os.pipe()
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=child_in,
            stdout=child_out,
            stderr=subprocess.PIPE,
            env=environment,
            **popen,
        )
    finally:
        os.close(child_in)
        os.close(child_out)
    process.stdin = os.fdopen(our_in, "wb", buffering=0)
    process.stdout = os.fdopen(our_out, "rb", buffering=0)
    return process


def send_until_unread(input_fd):
    """Send what is answered, reading nothing, until the child reads no more; the ids."""
    os.set_blocking(input_fd, False)
    ids = []
    # A second in which nothing at all is taken: the child has stopped reading.
    while select.select([], [input_fd], [], 1.0)[1]:
        assert len(ids) < 100_000, "it never stops reading"
        data = frame(request(len(ids) + 1, "health"))
        with contextlib.suppress(BlockingIOError):
            # So few bytes are written whole or not at all.
            n_bytes = os.write(input_fd, data)
            assert n_bytes == len(data)
            ids.append(len(ids) + 1)
    os.set_blocking(input_fd, True)
    return ids


def frame(message):
    payload = msgpack.packb(message)
    return struct.pack("<I", len(payload)) + payload


def request(request_id, method, params=None):
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def error_of_pushes(host, stream):
    """What the next push into a stream is refused with, once hearing it has failed."""
    ends_at = time.perf_counter() + PATIENCE_S
    nothing = {"stream": stream, "pcm": b""}
    while not hasattr(answer := host.call("stream_push", nothing), "code"):
        assert time.perf_counter() < ends_at, "no push was refused"
        time.sleep(0.005)
    return answer


def pcm(duration_s=0.1, level=0.1):
    """A short tone at 8 kHz."""
    n_samples = round(duration_s * 8000)
    values = [round(32767 * level * math.sin(n / 4)) for n in range(n_samples)]
    return {
        "pcm": struct.pack(f"<{n_samples}h", *values),
        "encoding": "s16le",
        "sample_rate_hz": 8000,
        "channels": 1,
    }


def assert_error(answer, code, kind=None, *, retryable=None):
    assert isinstance(answer, Failure), answer
    assert answer.code == code, answer
    if kind is not None:
        assert answer.data["kind"] == kind, answer
    if retryable is not None:
        assert answer.data["retryable"] is retryable, answer


def assert_result(answer, *names):
    assert isinstance(answer, Result), answer
    assert set(names) <= set(answer.result), answer
    return answer.result


def assert_each_answered_once(host, request_ids):
    """Each of these was answered, nothing else was, and nothing twice."""
    assert Counter(answer.id for answer in host.answers) == Counter(request_ids), str(host)


def time_to_end(process, timeout_s=PATIENCE_S):
    """Seconds until ``process`` has ended."""
    began_at = time.perf_counter()
    process.wait(timeout_s)
    return time.perf_counter() - began_at


def python_argv(code, *arguments):
    return [sys.executable, "-c", code, *arguments]
