"""How a process ends that cannot serve, and what it says before: the codes of sysexits.h."""

from __future__ import annotations

import os
import subprocess

import pytest
from bundle_under_test import EDITION
from raw_host import ROOT, assert_each_answered_once, assert_error, frame, pcm, request


def run_usage(argv, **options):
    return subprocess.run(
        argv,
        input=b"",
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--no-such-option"],
        ["--device", "tpu"],
        ["--device", "cuda:x"],
        ["--device", "cuda", "--gpu"],
        ["--threads", "0"],
        ["--parent-pid", "none"],
        ["--path-root", "/no/such/folder"],
        ["--max-frame-mib", "4096"],
        ["--log-level", "loud"],
        ["stray"],
    ],
    ids=" ".join,
)
def test_wrong_options(sidecar_argv, options):
    done = run_usage([*sidecar_argv, *options])
    assert done.returncode == 64
    assert done.stdout == b""  # nothing that a host could take for frames
    assert options[-1] in done.stderr.decode() or options[0] in done.stderr.decode()


def test_a_path_root_that_is_a_file(sidecar_argv, tmp_path):
    (tmp_path / "file").touch()
    done = run_usage([*sidecar_argv, "--path-root", str(tmp_path / "file")])
    assert done.returncode == 64


@pytest.mark.posix("it makes a terminal")
def test_a_terminal_on_standard_input(sidecar_argv):
    terminal, child_end = os.openpty()
    try:
        done = subprocess.run(
            sidecar_argv, stdin=child_end, capture_output=True, cwd=ROOT, timeout=60, check=False
        )
    finally:
        os.close(child_end)
        os.close(terminal)
    assert done.returncode == 64
    assert done.stdout == b""
    assert b"demo" in done.stderr


@pytest.mark.posix("its shell closes standard streams")
@pytest.mark.parametrize("redirection", ["<&-", ">&-"])
def test_a_closed_standard_stream(sidecar_argv, redirection):
    script = f'exec "$@" {redirection}'
    done = run_usage(["sh", "-c", script, "sh", *sidecar_argv])
    assert done.returncode == 64
    assert done.stdout == b""


def test_unknown_model(start, sidecar_argv):
    host = start([*sidecar_argv, "--model", "no-such-model"])
    embed = host.request("embed", {"audio": pcm()})
    health = host.request("health")
    assert host.wait() == 69
    assert_each_answered_once(host, [embed, health])
    assert_error(host.answer(embed), -32011, "unknown_model")
    assert host.states[-1] == "failed"
    last = host.notices("health")[-1]
    assert "no-such-model" in last["reason"]
    assert last["error"] == {"code": -32011, "kind": "unknown_model", "retryable": False}
    assert "error" not in host.notices("health")[0]


@pytest.mark.skipif(EDITION is not None, reason="a bundle has its model inside")
def test_offline_without_weights(start, sidecar_argv, tmp_path):
    host = start([*sidecar_argv, "--offline", "--models-dir", str(tmp_path)])
    ids = [host.request("embed", {"audio": pcm()}) for _ in range(3)]
    ids.append(host.request("embed_batch", {"items": [pcm(), pcm()]}))
    assert host.wait() == 69
    assert_each_answered_once(host, ids)
    for request_id in ids[:3]:
        assert_error(host.answer(request_id), -32011, retryable=False)
    entries = host.answer(ids[3]).result["results"]
    assert [entry["error"]["code"] for entry in entries] == [-32011, -32011]
    assert host.states == ["loading", "failed"]


def test_a_device_that_is_not_there(start, sidecar_argv):
    host = start([*sidecar_argv, "--device", "cuda:99"])
    embed = host.request("embed", {"audio": pcm()})
    assert host.wait() == 69
    assert_error(host.answer(embed), -32020, "device_unavailable", retryable=True)
    last = host.notices("health")[-1]
    assert "--device cuda:99" in last["reason"]
    # The request may be answered on another device; a child that is started as this one will not.
    assert last["error"] == {"code": -32020, "kind": "device_unavailable", "retryable": False}


def test_a_stream_that_is_lost(start_light, gate):
    """What is on the device may finish; what waits is cancelled, as at the input's end."""
    host = start_light(LIGHT_EMBED_GATE=str(gate))
    ids = [host.request("embed", {"audio": pcm()}) for _ in range(4)]
    host.wait_for_log("light: embedding")
    host.send(b"\xff\xff\xff\xff and more")
    assert host.wait() == 76
    assert_each_answered_once(host, [*ids, None])
    assert_error(host.answer(None), -32700, "frame_length")
    error = {"code": -32700, "kind": "frame_length", "retryable": False}
    assert host.notices("health")[-1]["error"] == error


@pytest.mark.parametrize(("n_bytes", "exit_code"), [(2**20, 0), (2**20 + 1, 76)])
def test_the_longest_frame(start_light, n_bytes, exit_code):
    """``--max-frame-mib`` is what hello promises, to the byte."""
    host = start_light("--max-frame-mib", "1")
    assert host.wait_for_hello()["limits"]["max_frame_bytes"] == 2**20
    empty = {"pcm": b"", "encoding": "s16le", "sample_rate_hz": 16_000, "channels": 1}
    big = {**empty, "pcm": bytes(2**19)}
    n_around = len(frame(request("x", "embed", {"audio": big}))) - 4 - 2**19
    audio = {**empty, "pcm": bytes(n_bytes - n_around)}
    data = frame(request("x", "embed", {"audio": audio}))
    assert len(data) - 4 == n_bytes
    host.send(data)
    assert host.answer("x" if exit_code == 0 else None)
    assert host.finish() == exit_code
