"""Starts the process that converts a model for one of the CPU's runtimes, and follows it.

A process of its own, since conversion takes torch and gigabytes, which are given back when it ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.bundle import is_bundle
from sidecar.config import CpuRuntime, Precision

_log = logging.getLogger(__name__)

_POLL_S = 0.1


class ConversionFailed(Exception):
    """No converted model; the text is a phrase that says why."""


def convert_apart(  # noqa: PLR0913 - the sixth is named
    model: str,
    runtime: CpuRuntime,
    models_dir: Path,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    *,
    precision: Precision = "f32",
) -> None:
    """Have ``speaker-sidecar convert`` convert ``model``, whose weights lie in ``models_dir``.

    Raises:
        ConversionFailed: it was not.
        ModelUnavailable: ``should_stop`` said so (kind ``stopped``); the process is ended.
    """
    if is_bundle():
        raise ConversionFailed("a bundle carries no converter")
    argv = [*_program(), "convert", model, "--runtime", runtime, "--precision", precision]
    argv += ["--models-dir", str(models_dir)]
    argv += ["--parent-pid", str(os.getpid()), "--json"]
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ConversionFailed(f"the converting process cannot be started: {error}") from error
    failure: str | None = None
    try:
        for event in _events(process.stdout, should_stop):
            if "done" in event:
                on_progress(Progress("convert", event["done"], event["total"], "steps"))
            failure = event.get("error", failure)
        code = process.wait()
    finally:
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
    if failure is not None or code != 0:
        raise ConversionFailed(failure or f"the converting process ended with code {code}")


def _program() -> list[str]:
    return [sys.executable, "-m", "sidecar"]


def _events(output: IO[bytes] | None, should_stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """What the process tells, a JSON object a line, until it closes its output."""
    assert output is not None
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read() -> None:
        with output:
            for line in output:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="conversion", daemon=True).start()
    while True:
        if should_stop():
            raise ModelUnavailable("The conversion was stopped; it can be run again.", "stopped")
        try:
            line = lines.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        if line is None:
            return
        try:
            event = json.loads(line)
        except ValueError:
            _log.debug("converting: %r", line)  # some library prints
            continue
        if isinstance(event, dict):
            yield event
