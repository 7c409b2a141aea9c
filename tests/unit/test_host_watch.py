from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from sidecar.wire.host_watch import HostWatch


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


def test_a_process_that_runs_is_there():
    assert not HostWatch(os.getpid()).is_gone()


def test_a_process_that_ended_is_gone(child):
    watch = HostWatch(child.pid)
    assert not watch.is_gone()
    child.kill()
    child.wait()
    assert watch.is_gone()


@pytest.mark.posix("a process that ended waits for its parent, as a zombie")
def test_a_zombie_is_gone(child):
    watch = HostWatch(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but not reaped
    assert watch.is_gone()


def test_a_pid_that_nobody_has_is_gone(child):
    child.kill()
    child.wait()
    assert HostWatch(child.pid).is_gone()


def test_another_process_with_the_same_pid_does_not_pass_for_it(child, monkeypatch):
    watch = HostWatch(child.pid)
    reused = psutil.Process(child.pid)
    monkeypatch.setattr(reused, "_ident", (child.pid, 1.0))
    monkeypatch.setattr(watch, "_process", reused)
    assert watch.is_gone()


def test_no_access_means_that_it_is_there(monkeypatch):
    watch = HostWatch(os.getpid())

    def refuse():
        raise psutil.AccessDenied

    monkeypatch.setattr(watch._process, "status", refuse)
    assert not watch.is_gone()
