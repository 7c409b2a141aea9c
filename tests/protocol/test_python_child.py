"""The Python host's child: what it does with any process, not only with a sidecar."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from protocol.errors import ParseError
from protocol.framing import encode_frame
from protocol.messages import Failure
from protocol.params import HealthParams, MetricsParams
from protocol.python import ChildGone, RemoteError, SpeakerSidecar
from protocol.python.child import Child, spawn

PATIENCE_S = 60.0
ECHO = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
# Says what argv[1] holds, as hexadecimal text, and ends.
SAY = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))"


class Heard:
    """What a child said, and how it ended."""

    def __init__(self):
        self.payloads = []
        self.ends = []
        self.has_ended = threading.Event()

    def end(self, fault):
        self.ends.append(fault)
        self.has_ended.set()


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def start(heard):
    """Starts ``python -c CODE ...``; it is gone after the test."""
    children = []

    def start_code(code, *arguments, take=None, **popen):
        process = spawn([sys.executable, "-c", code, *arguments], **popen)
        children.append(Child(process, take or heard.payloads.append, heard.end))
        return children[-1]

    yield start_code
    for child in children:
        child.kill()


def test_payloads_come_in_their_order(start, heard):
    child = start(ECHO)
    sent = [bytes([n]) * n for n in range(1, 200)]
    for payload in sent:
        child.write(encode_frame(payload))
    child.close_input()
    assert child.wait_until(lambda: len(heard.payloads) == len(sent), PATIENCE_S)
    assert heard.payloads == sent
    assert child.wait_until(lambda: child.has_ended, PATIENCE_S)
    assert heard.ends == [None]
    assert child.process.wait(PATIENCE_S) == 0


def test_writing_does_not_wait_for_a_child_that_does_not_read(start):
    child = start("import time; time.sleep(600)")
    child.write(bytes(2**24))
    child.close_input()
    assert child.process.poll() is None
    child.kill()


def test_reading_goes_on_while_much_is_written(start, heard):
    child = start(ECHO)
    frame = encode_frame(bytes(2**20))
    for _ in range(16):
        child.write(frame)
    child.close_input()
    assert child.wait_until(lambda: len(heard.payloads) == 16, PATIENCE_S)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("", None),
        ("0100000041", None),
        ("05000000", "the child's output ends 4 bytes into a frame"),
        ("ffffffff", "the child's output is not of this protocol: a frame of 4294967295 bytes"),
    ],
)
def test_how_the_output_ended_is_told_once(start, heard, said, fault):
    start(SAY, said)
    assert heard.has_ended.wait(PATIENCE_S)
    [told] = heard.ends
    assert (told or "").startswith(fault or "")
    assert (told is None) == (fault is None)


def test_a_child_that_is_not_understood_is_killed(start, heard):
    def refuse(payload):
        raise ParseError("not this")

    child = start(f"{SAY}; sys.stdout.flush(); input()", "0100000041", take=refuse)
    assert heard.has_ended.wait(PATIENCE_S)
    assert heard.ends == ["the child's output is not of this protocol: not this"]
    assert child.process.wait(PATIENCE_S) != 0


def test_a_wait_ends_with_the_output(start):
    child = start("")
    assert not child.wait_until(lambda: False, PATIENCE_S)
    assert child.has_ended


def test_a_wait_ends_with_its_time(start):
    child = start("input()")
    assert not child.wait_until(lambda: False, 0.01)
    assert not child.has_ended


def test_a_pipe_that_is_lost_is_an_end(heard):
    class Lost:
        """A process whose output is a socket that was reset."""

        def __init__(self):
            self.stdin = self.stdout = self

        def read(self, n_bytes):
            raise ConnectionResetError

        def close(self):
            pass

        def kill(self):
            pass

        def wait(self):
            return 9

    with Child(Lost(), heard.payloads.append, heard.end) as child:
        assert heard.has_ended.wait(PATIENCE_S)
    assert heard.ends == [None]
    assert child.kill() == 9


def test_what_cannot_be_started_raises():
    with pytest.raises(FileNotFoundError):
        SpeakerSidecar.start(["/no/such/program"])


# Says hello, then answers each request with its id: a result, or an error for health.
ANSWERS = """
import struct, sys, msgpack
def say(message):
    payload = msgpack.packb({"jsonrpc": "2.0", **message})
    sys.stdout.buffer.write(struct.pack("<I", len(payload)) + payload)
    sys.stdout.buffer.flush()
say({"method": "hello", "params": {"protocol": int(sys.argv[1]), "argv": sys.argv[2:]}})
say({"id": 10**6, "result": {"for": "nobody"}})
say({"id": None, "error": {"code": -1, "message": "of nobody knows what"}})
while header := sys.stdin.buffer.read(4):
    message = msgpack.unpackb(sys.stdin.buffer.read(*struct.unpack("<I", header)))
    if message["method"] == "health":
        say({"id": message["id"], "error": {"code": -1, "message": "m", "data": {"kind": "k"}}})
    if message["method"] == "cancel":
        withdrawn = {"code": -2, "message": "withdrawn", "data": {}}
        say({"id": message["params"]["id"], "error": withdrawn})
    if message["method"] == "shutdown":
        say({"id": message["id"], "result": {}})
"""


def start_answers(protocol=1, *arguments, **options):
    argv = [sys.executable, "-c", ANSWERS, str(protocol), *arguments]
    return SpeakerSidecar.start(argv, stderr=subprocess.DEVNULL, **options)


def test_an_error_keeps_the_wires_fields():
    with start_answers() as sidecar, pytest.raises(RemoteError, match=r"m \(-1, k\)") as caught:
        sidecar.call(HealthParams())
    assert caught.value.failure == Failure(1, -1, "m", {"kind": "k"})


def test_a_child_of_another_protocol_is_gone():
    with start_answers(protocol=2) as sidecar:
        with pytest.raises(ChildGone):
            sidecar.wait_until_ready(PATIENCE_S)
        with pytest.raises(ChildGone):
            sidecar.call(HealthParams())


def test_no_answer_in_time():
    with start_answers() as sidecar, pytest.raises(TimeoutError, match=r"metrics within 0\.01 s"):
        sidecar.call(MetricsParams(), timeout_s=0.01)


def test_what_is_cancelled_is_answered():
    with start_answers() as sidecar:
        request_id, future = sidecar.send(MetricsParams())
        sidecar.cancel(request_id)
        with pytest.raises(RemoteError, match="withdrawn"):
            future.result(PATIENCE_S)


def test_one_that_loads_for_too_long():
    with start_answers() as sidecar, pytest.raises(TimeoutError, match="still loads: no hello"):
        sidecar.wait_until_ready(0.01)


def test_a_death_settles_what_waits():
    with start_answers() as sidecar:
        _, future = sidecar.send(MetricsParams())
        sidecar.process.kill()
        with pytest.raises(ChildGone, match="the child ended"):
            future.result(PATIENCE_S)
        assert sidecar.close() != 0


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ([], {}, ["--parent-pid", "PID"]),
        (["--parent-pid=1"], {}, ["--parent-pid=1"]),
        (["--parent-pid", "1"], {}, ["--parent-pid", "1"]),
        ([], {"model": "x"}, ["--model", "x", "--parent-pid", "PID"]),
    ],
)
def test_the_child_learns_whom_to_outlive_not(given, options, expected):
    heard = threading.Event()
    with start_answers(1, *given, on_notice=lambda _: heard.set(), **options) as sidecar:
        assert heard.wait(PATIENCE_S)
        pid = str(os.getpid())
        assert sidecar.hello["argv"] == [pid if word == "PID" else word for word in expected]
