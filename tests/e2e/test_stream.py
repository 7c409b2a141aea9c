"""The stream stays intact and ends well, whatever writes beside it and however the host ends it."""

from __future__ import annotations

import os

import psutil
import pytest
from raw_host import (
    assert_each_answered_once,
    assert_error,
    assert_result,
    frame,
    pcm,
    request,
    send_until_unread,
    time_to_end,
)

from protocol.python import SpeakerSidecar
from sidecar.tools.program import ARGV_VARIABLE

CHANNELS = ["pipe", pytest.param("socketpair", marks=pytest.mark.posix("a socket is a stream"))]

# Writes to standard output in each way that a library could, at the import of torch and at exit.
NOISY_IMPORT = """
import ctypes, os, subprocess, sys

class Noise:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("a stray print", flush=True)
            sys.stdout.write("another")
            os.write(1, b"a raw write to fd 1\\n")
            if os.name == "posix":
                libc = ctypes.CDLL(None)
                libc.puts(b"from C")
                libc.fflush(None)
            subprocess.run([sys.executable, "-S", "-c", "print('from a grandchild'); input()"])

sys.meta_path.insert(0, Noise())
"""
NOISES = [b"a stray print", b"a raw write to fd 1", b"from a grandchild"]
if os.name == "posix":
    NOISES.append(b"from C")


def test_noise_around_a_light_sidecar(start_light):
    host = start_light(LIGHT_NOISE="print,c,grandchild")
    ids = [host.request("embed", {"audio": pcm(0.1 + n / 100)}) for n in range(3)]
    for request_id in ids:
        assert_result(host.answer(request_id), "embedding")
    assert host.finish() == 0
    assert_each_answered_once(host, ids)
    assert all(noise in host.errors for noise in NOISES)


def test_noise_around_the_real_sidecar(start, sidecar_argv, tmp_path):
    if os.environ.get(ARGV_VARIABLE):
        pytest.skip(f"{ARGV_VARIABLE} names a program into which no noise can be put")
    (tmp_path / "sitecustomize.py").write_text(NOISY_IMPORT, "utf-8")
    host = start(sidecar_argv, environment={"PYTHONPATH": str(tmp_path)})
    embed = host.request("embed", {"audio": pcm(0.5)})
    assert_result(host.answer(embed), "embedding")
    assert host.finish() == 0
    assert_each_answered_once(host, [embed])
    assert all(noise in host.errors for noise in NOISES)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_end_of_the_input_ends_it_while_it_loads(start, any_argv, channel):
    host = start(any_argv, channel=channel)
    host.wait_for_hello()
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.wait() == 0


@pytest.mark.posix("a socket is a stream")
def test_a_socket_shut_down_for_writing_ends_it(start_light):
    host = start_light(channel="socketpair")
    host.wait_for_state("ready")
    host.shut_down_input()
    assert time_to_end(host.process) < 2
    assert host.wait() == 0


def test_the_end_of_the_input_ends_it_when_it_is_ready(start, any_argv):
    host = start(any_argv)
    host.wait_for_state("ready", "degraded")
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.wait() == 0


def test_the_end_of_the_input_cancels_what_is_queued(start_light, gate):
    host = start_light(LIGHT_EMBED_GATE=str(gate))
    ids = [host.request("embed", {"audio": pcm()}) for _ in range(3)]
    host.wait_for_log("light: embedding")
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.wait() == 0
    assert_each_answered_once(host, ids)
    for answer in host.answers:
        assert_error(answer, -32800, "cancelled")


def test_an_input_that_ends_inside_a_frame(start_light):
    host = start_light()
    whole = frame(request(1, "health"))
    host.send(whole + whole[:-1])
    assert host.finish() == 0
    assert_each_answered_once(host, [1])


def test_frames_arrive_byte_by_byte(start_light):
    host = start_light()
    for byte in frame(request("slow", "embed", {"audio": pcm(0.05)})):
        host.send(bytes([byte]))
    assert_result(host.answer("slow"), "embedding")
    assert host.finish() == 0


@pytest.mark.linux("it lets a pipe be widened")
def test_a_python_hosts_pipe_holds_seconds_of_audio(light_argv):
    import fcntl

    with SpeakerSidecar.start(light_argv) as sidecar:
        assert fcntl.fcntl(sidecar.process.stdin, fcntl.F_GETPIPE_SZ) == 2**20


def test_a_lost_output_ends_it(start_light):
    host = start_light()
    host.wait_for_state("ready")
    host.may_read.clear()
    host.call("health")  # its read returns, and the reader waits
    host.close_output()
    host.request("health")
    assert host.process.wait(10) == 74


@pytest.mark.posix("its shell")
def test_an_output_that_nobody_holds_ends_it(start_light, start, light_argv):
    """Lost before hello: the shell's pipe to a program that ends at once."""
    script = '"$@" | true; exit "${PIPESTATUS[0]}"'
    host = start(["bash", "-c", script, "bash", *light_argv])
    assert host.process.wait(20) == 74


@pytest.mark.posix("it tells whether a pipe is full")
def test_a_host_that_stops_reading_for_a_while_loses_nothing(start_light):
    host = start_light()
    host.wait_for_state("ready")
    child = psutil.Process(host.process.pid)
    rss_before = child.memory_info().rss
    host.may_read.clear()
    ids = send_until_unread(host.input_fd)
    assert len(ids) > 1000
    assert child.memory_info().rss - rss_before < 32 * 2**20
    host.may_read.set()
    ids.append(host.request("embed", {"audio": pcm()}))
    assert_result(host.answer(ids[-1]), "embedding")
    host.wait_until(lambda: len(host.answers) >= len(ids), "not all answers came")
    assert host.finish() == 0
    assert_each_answered_once(host, ids)


@pytest.mark.posix("it tells whether a pipe is full")
@pytest.mark.parametrize("channel", CHANNELS)
def test_the_end_of_the_input_while_the_output_is_full(start_light, channel):
    host = start_light(channel=channel)
    host.wait_for_state("ready")
    host.may_read.clear()
    send_until_unread(host.input_fd)
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.process.returncode == 0


def test_shutdown_while_the_output_is_full(start_light):
    """The host reads again before the answers are given up: it gets them all, and the last."""
    host = start_light()
    host.wait_for_state("ready")
    host.may_read.clear()
    ids = [host.request("health") for _ in range(500)]
    ids.append(host.request("shutdown"))
    host.wait_for_log("the host asked for a shutdown")
    host.may_read.set()
    assert host.wait() == 0
    assert_each_answered_once(host, ids)
    assert host.messages[-1].id == ids[-1]


@pytest.mark.posix("its shell closes standard streams")
def test_a_closed_standard_error_is_no_way_to_the_wire(start, light_argv):
    host = start(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *light_argv],
        environment={"LIGHT_NOISE": "print,c,grandchild"},
    )
    embed = host.request("embed", {"audio": pcm()})
    assert_result(host.answer(embed), "embedding")
    assert host.finish() == 0
    assert_each_answered_once(host, [embed])


def test_nobody_reads_the_log(start_light):
    """A full standard error must not stop the service: lines are dropped."""
    host = start_light("--log-level", "debug", "--log-format", "json")
    host.may_read_errors.clear()
    for n in range(3000):
        host.send(frame({"jsonrpc": "2.0", "method": f"unknown {n} {'x' * 100}"}))
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.process.returncode == 0
    host.may_read_errors.set()
    assert host.wait() == 0
