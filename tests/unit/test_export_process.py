from __future__ import annotations

import sys
import time

import psutil
import pytest

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.engine import export_process
from sidecar.engine.export_process import ConversionFailed, convert_apart


@pytest.fixture
def convert(monkeypatch, tmp_path):
    """Runs Python code in the place of the converting process; what it told, or raises."""

    def run(code, should_stop=lambda: False):
        monkeypatch.setattr(export_process, "_program", lambda: [sys.executable, "-c", code])
        told = []
        convert_apart(
            "some-model", "onnxruntime", tmp_path, told.append, should_stop, precision="int8"
        )
        return told

    return run


def test_its_progress_is_passed_on(convert):
    told = convert('print(\'{"done": 0, "total": 2}\'); print(\'{"done": 2, "total": 2}\')')
    assert told == [Progress("convert", n, 2, "steps") for n in (0, 2)]


def test_it_is_told_what_to_convert_and_whose_child_it_is(convert, tmp_path):
    code = "import sys, json; print(json.dumps({'error': ' '.join(sys.argv[1:])}))"
    with pytest.raises(ConversionFailed) as caught:
        convert(code)
    assert str(caught.value) == (
        f"convert some-model --runtime onnxruntime --precision int8 --models-dir {tmp_path} "
        f"--parent-pid {psutil.Process().pid} --json"
    )


def test_what_libraries_print_is_no_progress(convert):
    assert convert("print('hello'); print('[1]'); print('\\xff'); print('3')") == []


def test_why_it_failed_is_passed_on(convert):
    with pytest.raises(ConversionFailed, match=r"^the disk is full$"):
        convert('print(\'{"error": "the disk is full"}\'); raise SystemExit(69)')


def test_a_crash_is_a_failure(convert):
    with pytest.raises(ConversionFailed, match="ended with code 7"):
        convert("raise SystemExit(7)")


def test_a_program_that_is_not_there_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(export_process, "_program", lambda: [str(tmp_path / "nothing")])
    with pytest.raises(ConversionFailed, match="cannot be started"):
        convert_apart("some-model", "openvino", tmp_path, print, lambda: False)


def test_it_ends_when_the_start_is_stopped(convert):
    children_before = psutil.Process().children()
    started_at = time.perf_counter()
    with pytest.raises(ModelUnavailable) as caught:
        convert("import time; time.sleep(60)", should_stop=lambda: True)
    assert caught.value.kind == "stopped"
    assert time.perf_counter() - started_at < 30
    assert psutil.Process().children() == children_before
