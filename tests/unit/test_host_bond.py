"""A child that is stopped dies with its host, where Linux offers that, and with nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from protocol.python.child import spawn

pytestmark = pytest.mark.posix("its child is bound to its host by Linux")

# Tells whether it is bound, and what is left of the variable; then it waits.
CHILD = """
import os, signal, sys
from sidecar.wire.host_bond import PARENT_VARIABLE, bind_to_host
print(bind_to_host(), PARENT_VARIABLE in os.environ, os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGSTOP) if sys.argv[1:] else None
"""
# Starts the child with its own pid in the variable, says what it says, and waits to be killed.
HOST = """
import os, subprocess, sys
pid = {pid} or os.getpid()
subprocess.Popen([sys.executable, "-c", sys.argv[1], "stop"],
                 env={{**os.environ, "SPEAKER_SIDECAR_PARENT": str(pid)}})
input()
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds")


def told_by_a_child_with(variable: str | None) -> str:
    env = {**os.environ, **({} if variable is None else {"SPEAKER_SIDECAR_PARENT": variable})}
    done = subprocess.run(
        [sys.executable, "-c", CHILD], env=env, capture_output=True, text=True, check=True
    )
    bound, kept, _ = done.stdout.split()
    assert kept == "False", "what it starts must not think that we are its host's child"
    return bound


@linux
def test_the_parent_that_asks_for_it():
    assert told_by_a_child_with(str(os.getpid())) == "True"


@pytest.mark.parametrize("variable", [None, "", "1", "4194305", str(os.getppid()), "host"])
def test_nobody_asks_who_is_its_parent(variable):
    assert told_by_a_child_with(variable) == "False"


@linux
@pytest.mark.parametrize(("pid", "bound"), [(0, True), (1, False)])
def test_a_stopped_child_of_a_killed_host(pid, bound):
    host = subprocess.Popen(
        [sys.executable, "-c", HOST.format(pid=pid), CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    told = host.stdout.readline().split()
    child = psutil.Process(int(told[2]))
    try:
        assert told[0] == str(bound)
        until(lambda: child.status() == psutil.STATUS_STOPPED)
        host.kill()
        host.wait()
        if bound:
            until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        else:
            assert child.status() == psutil.STATUS_STOPPED
    finally:
        if not bound:
            child.kill()
        host.stdin.close()
        host.stdout.close()


def told_to_a_python_host():
    process = spawn([sys.executable, "-c", CHILD])
    with process.stdin, process.stdout:
        bound, _, _ = process.stdout.read().split()
    assert process.wait() == 0
    return bound


@linux
def test_a_child_of_this_projects_python_host():
    assert told_to_a_python_host() == b"True"


def test_one_that_another_thread_starts_outlives_that_thread():
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(told_to_a_python_host).result() == b"False"


def test_an_environment_of_its_own_is_kept(monkeypatch):
    monkeypatch.setenv("SPEAKER_SIDECAR_TEST", "ours")
    code = "import os; print(os.environ.get('SPEAKER_SIDECAR_TEST'), os.environ.get('ELSE'))"
    told = []
    for env in (None, {"ELSE": "theirs"}):
        process = spawn([sys.executable, "-c", code], env=env)
        with process.stdin, process.stdout:
            told.append(process.stdout.read().split())
        assert process.wait() == 0
    assert told == [[b"ours", b"None"], [b"None", b"theirs"]]


def until(holds):
    give_up_at = time.perf_counter() + 10
    while not holds():
        assert time.perf_counter() < give_up_at
        time.sleep(0.01)
