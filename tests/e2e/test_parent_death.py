"""A host that is killed takes the child with it within 2 s, in whatever state the child is."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raw_host import PATIENCE_S, pcm

pytestmark = pytest.mark.posix("it passes file descriptors on, and sends SIGKILL")

SCRIPT = Path(__file__).with_name("dying_host.py")
LIMIT_S = 2.0


class DyingHost:
    """A sidecar, its host, and (if ``keeps_wire``) ourselves, who hold the same pipes open."""

    def __init__(self, argv, moment, *, channel="pipe", watched=False, keeps_wire=False, env=()):
        if channel == "pipe":
            child_in, host_in = os.pipe()
            host_out, child_out = os.pipe()
        else:
            (child_in, host_in), (child_out, host_out) = (
                [end.detach() for end in socket.socketpair()] for _ in range(2)
            )
        self._life, child_life = os.pipe()
        self._kept = [host_in, host_out] if keeps_wire else []
        fds = [host_in, host_out, child_in, child_out, child_life]
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, moment, "yes" if watched else "no", *map(str, fds), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=fds,
            env={**os.environ, **dict(env)},
        )
        for fd in set(fds) - set(self._kept):
            os.close(fd)
        assert self.process.stdout.readline() == b"go\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for fd in [self._life, *self._kept]:
            os.close(fd)

    def child_lives(self):
        """Whether the sidecar's end of the life pipe is open."""
        return not select.select([self._life], [], [], 0)[0]

    def kill(self, *, reap=True):
        """Kill the host; the seconds until the sidecar has ended."""
        assert self.child_lives()
        killed_at = time.perf_counter()
        self.process.kill()
        if reap:
            self.process.wait()
        assert select.select([self._life], [], [], PATIENCE_S)[0], "the child outlives its host"
        return time.perf_counter() - killed_at


@pytest.mark.parametrize("channel", ["pipe", "socketpair"])
@pytest.mark.parametrize("moment", ["loading", "ready", "full"])
def test_killed_host(light_argv, moment, channel):
    with DyingHost(light_argv, moment, channel=channel) as host:
        assert host.kill() < LIMIT_S


@pytest.mark.parametrize("moment", ["loading", "ready", "full"])
@pytest.mark.parametrize("reap", [True, False], ids=["reaped", "zombie"])
def test_killed_host_whose_pipes_another_keeps_open(light_argv, moment, reap):
    with DyingHost(light_argv, moment, watched=True, keeps_wire=True) as host:
        assert host.kill(reap=reap) < LIMIT_S


@pytest.mark.parametrize(
    ("moment", "channel"),
    [("loading", "pipe"), ("loading", "socketpair"), ("ready", "socketpair"), ("full", "pipe")],
)
def test_killed_host_of_the_real_sidecar(sidecar_argv, moment, channel):
    with DyingHost(sidecar_argv, moment, channel=channel) as host:
        assert host.kill() < LIMIT_S


@pytest.mark.parametrize(("moment", "reap"), [("loading", True), ("full", False)])
def test_killed_host_of_the_real_sidecar_whose_pipes_another_keeps_open(sidecar_argv, moment, reap):
    with DyingHost(sidecar_argv, moment, watched=True, keeps_wire=True) as host:
        assert host.kill(reap=reap) < LIMIT_S


@pytest.mark.parametrize("watched", [False, True])
def test_killed_host_while_the_device_is_busy(light_argv, gate, watched):
    env = {"LIGHT_EMBED_GATE": str(gate)}  # it never opens
    with DyingHost(light_argv, "busy", watched=watched, keeps_wire=watched, env=env) as host:
        assert host.kill() < LIMIT_S


@pytest.mark.parametrize("watched", [False, True])
def test_killed_host_while_the_output_is_full_and_it_loads(light_argv, gate, watched):
    env = {"LIGHT_LOAD_GATE": str(gate)}
    with DyingHost(
        light_argv, "full_loading", watched=watched, keeps_wire=watched, env=env
    ) as host:
        ended_s = host.kill()
    assert ended_s < LIMIT_S


def test_without_parent_pid_whoever_keeps_the_pipes_is_the_host(light_argv):
    """That the pipes are what is watched: the child lives on for the one who still has them."""
    with DyingHost(light_argv, "ready", keeps_wire=True) as host:
        host.process.kill()
        host.process.wait()
        host_in, _ = host._kept
        assert not select.select([host._life], [], [], 1.0)[0]
        os.close(host_in)
        host._kept.remove(host_in)
        assert select.select([host._life], [], [], PATIENCE_S)[0]


def test_a_parent_that_never_was_ends_it(start_light):
    host = start_light("--parent-pid", "4194305")  # above Linux's largest pid
    assert host.wait() == 0
    assert host.notices("hello")


def test_a_parent_pid_beyond_all_systems_ends_it(start_light):
    host = start_light("--parent-pid", str(2**70))
    assert host.wait() == 0


def test_a_living_parent_is_left_alone(start_light):
    host = start_light("--parent-pid", str(os.getpid()))
    host.wait_for_state("ready")
    assert "embedding" in host.call("embed", {"audio": pcm()}).result
    assert host.finish() == 0


def test_a_parent_other_than_the_one_that_started_it(start_light):
    """What ``--parent-pid`` is for: an app whose main process is not the direct parent."""
    with contextlib.ExitStack() as stack:
        stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        stack.callback(stranger.wait)
        stack.callback(stranger.kill)
        stack.callback(stranger.stdin.close)
        host = start_light("--parent-pid", str(stranger.pid))
        host.wait_for_state("ready")
        stranger.kill()
        killed_at = time.perf_counter()
        assert host.wait() == 0
        assert time.perf_counter() - killed_at < LIMIT_S
