"""A corpus on Ray, with a real model; it runs where the extra ``[corpus]`` is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from protocol.python import SpeakerSidecar

MISSING = [name for name in ("ray", "pyarrow") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)}, of the extra [corpus], not installed"
)

MODEL = "campplus-zh-en"
BAD = {"empty.wav": b"", "junk.wav": b"RIFF" + bytes(range(256)) * 20, "text.flac": b"no audio\n"}


@pytest.fixture(scope="module")
def archive(shared, sidecar_argv, tmp_path_factory):
    """Twenty utterances and three bad files; the model is there."""
    folder = tmp_path_factory.mktemp("archive")
    for file in sorted((shared / "audio" / "librispeech").glob("*/*000[0-3].flac")):
        shutil.copy(file, folder / file.name)
    for name, content in BAD.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def command(archive, out, *options):
    words = ["corpus", "embed", str(archive), "--out", str(out), "--actors", "1", "--block", "2"]
    return [sys.executable, "-m", "sidecar", *words, *options]


def run(argv, expected=0):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def rows(out, name):
    from pyarrow import dataset

    return dataset.dataset(out / name, format="parquet").to_table().to_pylist()


def assert_complete(archive, out):
    """Every good file once, every bad one among the failures."""
    good = {file.name for file in archive.iterdir()} - set(BAD)
    assert sorted(row["id"] for row in rows(out, "embeddings")) == sorted(good)
    assert sorted(row["id"] for row in rows(out, "failures")) == sorted(BAD)


def begun(argv, out, n_blocks=2):
    """A run in whose data set there are so many blocks."""
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_for_blocks(child, out, n_blocks)
    return child


def wait_for_blocks(child, out, n_blocks):
    deadline = time.perf_counter() + 200
    while len(list((out / "embeddings").glob("*.parquet"))) < n_blocks:
        assert child.poll() is None, "it ended before"
        assert time.perf_counter() < deadline
        time.sleep(0.05)


def test_each_embedding_is_the_sidecars(archive, out):
    run(command(archive, out))
    assert_complete(archive, out)
    with SpeakerSidecar.start(model=MODEL) as sidecar:
        for row in rows(out, "embeddings"):
            voice = sidecar.embed(row["path"], speech="auto")
            assert voice.fingerprint == row["fingerprint"]
            assert voice.quality.speech_s == row["speech_s"]
            assert np.dot(voice.embedding, row["embedding"]) >= 0.999999


def test_a_second_run_does_what_is_missing(archive, out, tmp_path):
    part = tmp_path / "part.csv"
    names = sorted(file.name for file in archive.iterdir())[:7]
    lines = [f"{name},{archive / name}" for name in names]
    part.write_text("\n".join(["id,path", *lines]))
    run(command(part, out))
    assert "of which 16 are to be done" in run(command(archive, out))
    assert_complete(archive, out)
    assert "of which 0 are to be done" in run(command(archive, out))
    assert "of which 3 are to be done" in run(command(archive, out, "--retry"))
    assert_complete(archive, out)


def test_a_killed_worker_costs_nothing(archive, out):
    child = begun(command(archive, out), out)
    workers = [
        process
        for process in psutil.Process(child.pid).children(recursive=True)
        if "MapWorker" in " ".join(process.cmdline())
    ]
    assert workers
    for worker in workers:
        worker.kill()
    told, _ = child.communicate(timeout=240)
    assert child.returncode == 0
    assert "20 embedded, 3 failed" in told
    assert_complete(archive, out)


def test_a_killed_run_goes_on(archive, out):
    child = begun(command(archive, out), out)
    child.kill()
    child.communicate()
    assert len(rows(out, "embeddings")) < 20
    run(command(archive, out))
    assert_complete(archive, out)


@pytest.mark.posix("Windows sends Ctrl-C to a whole console")
def test_after_ctrl_c_it_says_how_to_go_on(archive, out):
    child = subprocess.Popen(command(archive, out), stderr=subprocess.PIPE, text=True)
    wait_for_blocks(child, out, 2)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=100)
    assert child.returncode == 130
    assert "Give the same command again, and it goes on from there." in " ".join(told.split())
    run(command(archive, out))
    assert_complete(archive, out)


@contextlib.contextmanager
def running_ray(**environment):
    """The address of a cluster of one node."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    start += ["--port", address.rpartition(":")[2], "--num-cpus", "1", "--include-dashboard=false"]
    node = subprocess.Popen(
        start,
        env=os.environ | environment | {"RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in node.stdout:
            if "--block" in line:  # it says that it stays
                break
        assert node.poll() is None
        yield address
    finally:
        # Asked to end, it waits half a minute for what runs on it.
        for process in psutil.Process(node.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.kill()
        node.communicate()


@pytest.fixture
def token(tmp_path, monkeypatch):
    """Where a token lies that Ray would take for its own."""
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    file = tmp_path / "token"
    file.write_text("a" * 32)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    return file


@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_a_cluster_is_joined_as_it_wants_to_be(mode, archive, out, token):
    with running_ray(RAY_AUTH_MODE=mode) as address:
        run(command(archive, out, "--ray", address))
    assert_complete(archive, out)


def refusal(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 69, done.stdout + done.stderr
    return " ".join(done.stderr.split())


def test_a_cluster_with_another_token_says_what_to_do(archive, out, token):
    with running_ray(RAY_AUTH_MODE="token") as address:
        token.write_text("b" * 32)
        told = refusal(command(archive, out, "--ray", address))
    assert f"--ray {address}: it asks for a token: copy the file" in told


def test_where_nothing_answers_it_says_so(archive, out):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert f"--ray {address}: nothing answers there" in refusal(
        command(archive, out, "--ray", address)
    )
