from __future__ import annotations

import logging
import os

import pytest

from sidecar.wire import native_output
from sidecar.wire.native_output import LineLog


@pytest.fixture
def lines(caplog):
    """A log of lines, and ``told()``: what it has logged since it was asked last."""
    caplog.set_level(logging.WARNING, "native")
    log = LineLog(logging.WARNING)

    def told():
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    log.told = told
    return log


def test_lines_are_logged_when_they_end(lines):
    lines.feed(b"one\ntw")
    assert lines.told() == ["one"]
    lines.feed(b"o\r\n\n  \n10 %\r20 %\rthree")
    assert lines.told() == ["two", "10 %", "20 %"]
    lines.feed(b"")
    assert lines.told() == ["three"]


def test_a_line_is_cut_and_one_without_an_end_is_not_kept(lines):
    for _ in range(100):
        lines.feed(b"x" * 10_000)
        assert len(lines._rest) < 2000
    lines.feed(b"\nnext\n")
    assert lines.told() == ["x" * 1000 + " ...", "next"]
    lines.feed(b"y" * 1000 + b"\n")
    assert lines.told() == ["y" * 1000]


def test_what_a_terminal_would_obey_is_shown(lines):
    lines.feed("\x1b[31mtitle\x00\x9b \xff über\t名\n".encode() + b"no \xff UTF-8\n")
    assert lines.told() == [r"\x1b[31mtitle\x00\x9b ÿ über" + "\t名", r"no \xff UTF-8"]


def test_of_a_flood_the_rest_is_counted(lines):
    lines.feed(b"line\n" * 1000)
    assert lines.told() == ["line"] * 100
    lines.tell_of_more()
    lines.tell_of_more()
    assert lines.told() == ["900 more lines were left out"]
    lines.feed(b"after\n")
    assert lines.told() == ["after"]


def test_the_rest_of_a_flood_is_told_by_itself(lines, monkeypatch):
    timers = []

    class Timer:
        def __init__(self, *arguments):
            timers.append(arguments)

        def start(self):
            assert self.daemon

    monkeypatch.setattr(native_output.threading, "Timer", Timer)
    lines.feed(b"line\n" * 101)
    [(seconds, tell)] = timers
    assert seconds == 10
    lines.told()
    tell()
    assert lines.told() == ["1 more lines were left out"]


def test_a_full_pipe_drops_what_is_written_and_python_does_not_mind():
    read_fd, write_fd = native_output._lossy_pipe()
    try:
        with native_output._Output(write_fd, "w") as output:
            for _ in range(100):
                assert output.write(b"x" * 4096) == 4096
        assert os.read(read_fd, 10) == b"x" * 10
    finally:
        os.close(read_fd)
