"""Standard error has lines of the log and nothing else, and holds nothing up, read or not."""

from __future__ import annotations

import io
import json
import os
import signal
import sys

import numpy as np
import pytest
import soundfile
from raw_host import (
    assert_each_answered_once,
    assert_result,
    pcm,
    time_to_end,
)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX's shells and signals")

# What fills a pipe and a socket that nobody reads, many times.
N_ODD_FILES = 1500


def entries(host):
    """The log of a child that writes JSON."""
    return [json.loads(line) for line in host.errors.decode().splitlines()]


def native_lines(host):
    return [entry["message"] for entry in entries(host) if entry["logger"] == "native"]


def odd_mp3():
    """Two MP3s, one behind the other: libmpg123 has something to say about them."""
    file = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).standard_normal(4800)
    soundfile.write(file, noise, 16_000, format="MP3", subtype="MPEG_LAYER_III")
    return 2 * file.getvalue()


def test_files_that_a_library_remarks_on_while_nobody_reads(start_light):
    host = start_light("--log-format", "json")
    host.may_read_errors.clear()
    audio = {"file": odd_mp3()}
    for n in range(0, N_ODD_FILES, 50):
        ids = [host.request("embed", {"audio": audio}) for _ in range(50)]
        for request_id in ids:
            assert host.answer(request_id), f"nothing after {n} files"
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    host.close_input()
    assert time_to_end(host.process) < 2
    host.may_read_errors.set()
    assert host.wait() == 0
    assert entries(host)


@pytest.mark.parametrize("reads", [True, False])
def test_a_flood_is_counted_and_holds_nothing_up(start_light, reads):
    host = start_light("--log-format", "json", LIGHT_NOISE="flood,long")
    if not reads:
        host.may_read_errors.clear()
    ids = [host.request("embed", {"audio": pcm()}) for _ in range(3)]
    for request_id in ids:
        assert_result(host.answer(request_id), "embedding")
    host.close_input()
    assert time_to_end(host.process) < 2
    host.may_read_errors.set()
    assert host.wait() == 0
    assert_each_answered_once(host, ids)
    told = native_lines(host)
    assert any(line.startswith("flood 0 x") for line in told)
    assert sum(line.startswith("flood") for line in told) <= 100
    if reads:
        assert any("more lines" in line for line in told)


def test_every_line_is_json_whoever_writes_it(start_light):
    noises = ["print", "grandchild"] if sys.platform == "win32" else ["print", "c", "grandchild"]
    texts = ["a stray print", "from a grandchild"]
    if "c" in noises:
        texts += ["from C", "a raw write to fd 1"]
    host = start_light("--log-format", "json", LIGHT_NOISE=",".join(noises))
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert host.finish() == 0
    told = native_lines(host)
    for text in texts:
        assert any(text in line for line in told), (text, told)


@posix_only
@pytest.mark.parametrize("host_reads", [True, False])
def test_the_last_words_of_a_library_that_aborts(start_light, gate, host_reads):
    host = start_light("--log-format", "json", LIGHT_NOISE="last words", LIGHT_LOAD_GATE=str(gate))
    host.wait_for_hello()
    if not host_reads:
        host.may_read_errors.clear()
    gate.touch()
    assert time_to_end(host.process) < 5
    host.may_read_errors.set()
    assert host.wait() == -signal.SIGABRT
    told = native_lines(host)
    assert "the last words" in told
    assert "Fatal Python error: Aborted" in told
    assert any("last_words_from_c" in line for line in told), "not where it was"


@posix_only
@pytest.mark.parametrize(
    "redirection",
    ["2>&-", "2>/dev/null", "2>/dev/full", "2> >(head -c 9 >/dev/null)"],
    ids=["closed", "null", "full disk", "closed later"],
)
def test_a_standard_error_that_takes_nothing(start, light_argv, redirection):
    host = start(
        ["bash", "-c", f'exec "$@" {redirection}', "bash", *light_argv],
        environment={"LIGHT_NOISE": "print,c,grandchild,flood"},
    )
    for _ in range(3):
        assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert host.finish() == 0


@posix_only
def test_a_file_has_every_line(start, light_argv, tmp_path):
    log = tmp_path / "log"
    host = start(
        ["sh", "-c", f'exec "$@" 2>"{log}"', "sh", *light_argv, "--log-format", "json"],
        environment={"LIGHT_NOISE": "print,c,grandchild"},
    )
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert host.finish() == 0
    told = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert any("ending with code 0" in entry["message"] for entry in told)
    assert any("a raw write to fd 1" in entry["message"] for entry in told)


def test_an_installation_that_is_broken_says_so_in_the_log(start, light_argv, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['sidecar.requests.scheduler'] = None\n", "utf-8"
    )
    argv = [sys.executable, "-m", "sidecar", "--log-format", "json"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    host = start(argv, environment={"PYTHONPATH": path})
    assert host.wait() == 70
    assert any("sidecar.requests.scheduler" in e.get("traceback", "") for e in entries(host))
