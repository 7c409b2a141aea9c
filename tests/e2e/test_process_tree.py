"""Nothing that a child started outlives it, and no child its host, whatever ends either of them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import psutil
import pytest
from raw_host import PATIENCE_S, ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != "win32", reason="elsewhere the host kills the child's process group"
)

# They end when they are killed, and say nothing.
PLAIN_HOST = """
import subprocess, sys
subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE).wait()
"""
PYTHON_HOST = """
import sys, threading
from protocol.python import SpeakerSidecar
with SpeakerSidecar.start(sys.argv[1:]):
    threading.Event().wait()
"""


@contextlib.contextmanager
def tree_in(log):
    """The sidecar and its offspring, which ``log`` tells of; they are gone after the block."""
    told = re.search(rb"light: offspring (\d+) of (\d+)\.", log)
    offspring, sidecar = (psutil.Process(int(pid)) for pid in told.groups())
    try:
        yield sidecar, offspring
    finally:
        for process in (sidecar, offspring):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.mark.parametrize("end", ["kill", "input"])
def test_offspring_ends_with_the_sidecar(start_light, end):
    host = start_light(LIGHT_NOISE="offspring")
    host.wait_for_state("ready")
    host.wait_for_log("light: offspring")
    with tree_in(host.errors) as (_, offspring):
        if end == "kill":
            host.process.kill()  # not ``host.kill``: the host has a job, too
        else:
            assert host.finish() == 0
        offspring.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("code", "noise"),
    [(PLAIN_HOST, "offspring"), (PYTHON_HOST, "offspring"), (PYTHON_HOST, "offspring,standstill")],
    ids=["plain host", "Python host", "Python host of a child that hangs"],
)
def test_all_end_with_a_killed_host(light_argv, code, noise):
    host = subprocess.Popen(
        [sys.executable, "-c", code, *light_argv],
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "LIGHT_NOISE": noise},
    )
    with contextlib.ExitStack() as stack:
        stack.callback(host.stderr.close)
        stack.callback(host.wait)
        stack.callback(host.kill)
        log = b""
        while b"light: offspring" not in log:
            line = host.stderr.readline()
            assert line, log
            log += line
        sidecar, offspring = stack.enter_context(tree_in(log))
        host.kill()
        sidecar.wait(PATIENCE_S)
        offspring.wait(PATIENCE_S)
