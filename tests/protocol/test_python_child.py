"""The Python host's child: what it does with any process, not only with a sidecar."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import psutil
import pytest

from protocol.errors import ParseError
from protocol.framing import encode_frame
from protocol.python import child as child_module
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


@pytest.mark.skipif(sys.platform != "win32", reason="elsewhere only the child itself is killed")
def test_what_the_child_started_is_killed_with_it(start, heard):
    """And so no pipe of the child stays open in it."""
    code = """
import os, struct, subprocess, sys, time
its = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
sys.stdout.buffer.write(struct.pack("<II", 4, its.pid))
sys.stdout.flush()
time.sleep(600)
"""
    child = start(code)
    assert child.wait_until(lambda: heard.payloads, PATIENCE_S)
    grandchild = psutil.Process(int.from_bytes(heard.payloads[0], "little"))
    child.kill()
    child.kill()  # again: no fault
    grandchild.wait(PATIENCE_S)


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

        pid = 0

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


def test_a_fault_of_this_process_is_an_end_too(start, heard, caplog):
    def fail(payload):
        raise ValueError("a bug")

    child = start(f"{SAY}; sys.stdout.flush(); input()", "0100000041", take=fail)
    assert not child.wait_until(lambda: False, PATIENCE_S)
    assert child.has_ended
    assert heard.ends == ["this process failed to take in the child's output: ValueError('a bug')"]
    assert child.process.wait(PATIENCE_S) != 0
    assert "ValueError: a bug" in caplog.text


# Says "A", and ends. What it started holds its output open until the input ends, and says "B".
LEAVES_GRANDCHILD = """
import subprocess, sys
say = "import sys; {}sys.stdout.buffer.write(bytes.fromhex('01000000{}'))"
subprocess.Popen([sys.executable, "-c", say.format("sys.stdin.read(); ", 42)])
exec(say.format("", 41))
"""


def test_an_output_that_a_grandchild_holds_open_ends_with_the_child(start, heard, monkeypatch):
    monkeypatch.setattr(child_module, "_READ_AFTER_EXIT_S", 0.05)
    child = start(LEAVES_GRANDCHILD)
    assert child.wait_until(lambda: child.has_ended, PATIENCE_S)
    assert child.kill() == 0
    child._reader.join(PATIENCE_S)
    assert child.process.stdout.closed
    assert heard.payloads == [b"A"]
    assert heard.ends == [None]


def test_what_was_said_before_the_exit_is_taken_however_long_that_takes(start, heard, monkeypatch):
    monkeypatch.setattr(child_module, "_READ_AFTER_EXIT_S", 0.01)
    ended_early = []

    def take_slowly(payload):
        child.process.wait(PATIENCE_S)
        ended_early.append(heard.has_ended.wait(0.1))
        heard.payloads.append(payload)

    child = start(SAY, "0100000041" * 2, take=take_slowly)
    assert heard.has_ended.wait(PATIENCE_S)
    assert heard.payloads == [b"A", b"A"]
    assert ended_early == [False, False]


@pytest.mark.parametrize(
    ("window", "given", "passed"),
    [(0, {}, {"creationflags": 8}), (1, {}, {}), (0, {"creationflags": 1}, {"creationflags": 1})],
)
def test_on_windows_an_app_without_a_console_shows_none(monkeypatch, window, given, passed):
    kernel32 = SimpleNamespace(GetConsoleWindow=lambda: window)
    ctypes = SimpleNamespace(windll=SimpleNamespace(kernel32=kernel32))
    asked = []
    monkeypatch.setattr(child_module, "ctypes", ctypes, raising=False)
    monkeypatch.setattr(child_module, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 8, raising=False)

    def start_nothing(argv, stdin, stdout, bufsize, **popen):
        asked.append(popen)
        return SimpleNamespace(stdin=stdin)

    monkeypatch.setattr(subprocess, "Popen", start_nothing)
    spawn(["program"], **given)
    assert asked == [passed]
