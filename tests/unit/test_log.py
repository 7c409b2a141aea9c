from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import threading

import pytest

from sidecar.wire import log


def record(message, *args, exc_info=None):
    return logging.LogRecord("sidecar.x", logging.WARNING, "", 0, message, args, exc_info)


def caught():
    with pytest.raises(ValueError, match="two") as info:
        int_of("two\nlines")
    return info._excinfo


def int_of(text):
    raise ValueError(text)


def test_a_text_record_is_one_line_whatever_it_holds():
    line = log.TextFormatter().format(record("a %s", "b\nc", exc_info=caught()))
    assert "\n" not in line
    assert "warning sidecar.x: a b | c | Traceback" in line


def test_a_json_record_is_one_object():
    entry = json.loads(log.JsonFormatter().format(record("a\nb", exc_info=caught())))
    assert entry["level"] == "warning"
    assert entry["message"] == "a\nb"
    assert "ValueError" in entry["traceback"]


def test_nobody_reading_the_log_blocks_no_one():
    read_fd, write_fd = os.pipe()
    handler = log.StderrHandler(write_fd)
    handler.setFormatter(log.TextFormatter())
    numbers = itertools.count()
    for number in itertools.islice(numbers, 5000):  # far more than the pipe and the queue hold
        handler.emit(record("line %d %s", number, "x" * 100))
    while not handler._n_dropped:  # its thread may have come late, and filled the pipe just now
        handler.emit(record("line %d %s", next(numbers), "x" * 100))
    seen = bytearray()
    reader = threading.Thread(target=lambda: seen.extend(read_to_end(read_fd)))
    reader.start()
    while handler._n_dropped:  # until a line has got through again
        handler.emit(record("one more"))
    handler.finish(timeout_s=10)
    os.close(write_fd)
    reader.join()
    os.close(read_fd)
    assert b"log lines dropped: standard error was not read" in seen
    assert b"line 0 " in seen


@pytest.mark.posix("its pipes have a mode in which a write does not wait")
def test_a_full_queue_is_written_before_the_end():
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(write_fd, bytes(4096)):
            pass
    os.set_blocking(write_fd, True)
    handler = log.StderrHandler(write_fd)
    handler.setFormatter(log.TextFormatter())
    handler.emit(record("the pipe has no room for this"))
    while not handler._lines.empty():  # until its thread waits with it
        pass
    while not handler._lines.full():
        handler.emit(record("nor for this"))
    ending = threading.Thread(target=handler.finish, args=(10,))
    ending.start()
    reader = threading.Thread(target=lambda: list(read_to_end(read_fd)))
    reader.start()
    ending.join()
    handler._writer.join(1)
    assert not handler._writer.is_alive()
    os.close(write_fd)
    reader.join()
    os.close(read_fd)


def read_to_end(fd):
    while data := os.read(fd, 2**16):
        yield from data


def test_a_closed_standard_error_is_no_fault():
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    handler = log.StderrHandler(write_fd)
    handler.setFormatter(log.TextFormatter())
    handler.emit(record("nobody hears this"))
    handler.finish(timeout_s=10)
    os.close(write_fd)


def test_a_wrong_call_costs_a_line_and_not_its_thread():
    read_fd, write_fd = os.pipe()
    handler = log.StderrHandler(write_fd)
    handler.setFormatter(log.JsonFormatter())
    handler.emit(record("%d of %d", 1))
    handler.emit(record("the next"))
    handler.finish(timeout_s=10)
    os.close(write_fd)
    lines = bytes(read_to_end(read_fd)).splitlines()
    os.close(read_fd)
    assert [json.loads(line)["message"] for line in lines] == [
        "1 log lines dropped: standard error was not read",
        "the next",
    ]


@pytest.mark.posix("its pipes have a mode in which a write does not wait")
def test_a_pipe_in_non_blocking_mode_loses_nothing():
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    handler = log.StderrHandler(write_fd)
    handler.setFormatter(log.TextFormatter())
    for number in range(900):
        handler.emit(record("line %d %s", number, "x" * 200))
    seen = bytearray()
    reader = threading.Thread(target=lambda: seen.extend(read_to_end(read_fd)))
    reader.start()
    handler.finish(timeout_s=30)
    os.close(write_fd)
    reader.join()
    os.close(read_fd)
    assert len(seen.splitlines()) == 900
