"""``live`` and ``demo --live`` on the light sidecar, to which who speaks is how loud it is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def samples():
    noise = np.random.default_rng(0).standard_normal(4 * RATE_HZ)
    silence = np.zeros(RATE_HZ)
    return np.concatenate([silence, 0.05 * noise, silence, 0.2 * noise, silence, silence[:1600]])


@pytest.fixture
def run(light_argv):
    quote = shlex.join if os.name == "posix" else subprocess.list2cmdline

    def run_command(*words, **options):
        return subprocess.run(
            [sys.executable, "-m", "sidecar", *words],
            env=os.environ | {"SIDECAR_ARGV": quote(light_argv)},
            check=False,
            capture_output=True,
            timeout=120,
            **options,
        )

    return run_command


@pytest.fixture
def file(tmp_path, samples):
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    return str(tmp_path / "a.wav")


def assert_told(done):
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    told, hindsight = out.split("In hindsight:")
    finals = re.findall(r"^ +(\d+\.\d) - +(\d+\.\d)  S\d", told, re.MULTILINE)
    assert [(round(float(a)), round(float(b))) for a, b in finals] == [(1, 5), (6, 10)]
    assert re.search(r": 0:11, [12] speaker", hindsight), hindsight
    assert "FROM" in hindsight


@pytest.mark.parametrize("words", [["live"], ["demo", "--live"]])
def test_a_file_is_played(run, file, words):
    assert_told(run(*words, file, "--speed", "20"))


def test_raw_samples_on_standard_input(run, samples):
    pcm = np.rint(samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
    assert_told(run("live", "-", input=pcm))
    twice = np.repeat(samples.astype("<f4"), 2).tobytes()
    assert_told(run("live", "-", "--channels", "2", "--encoding", "f32le", input=twice + b"\0"))


def test_what_cannot_be_played(run, tmp_path, file):
    for words, told in [
        ([str(tmp_path / "none.wav")], "cannot be read as audio"),
        ([file, "--gallery", str(tmp_path / "none.db")], "there is no such file"),
        ([file, "--speed", "0"], "must be above 0"),
    ]:
        done = run("live", *words)
        assert done.returncode == 64
        assert told in " ".join(done.stderr.decode().split())


def test_a_sidecar_that_dies_on_the_way(run, file, monkeypatch):
    monkeypatch.setenv("FAULT", "device:1")
    done = run("live", file, "--speed", "20")
    assert done.returncode == 70
    assert "the sidecar died: the device failed" in done.stderr.decode()


@pytest.mark.posix("on Windows no single process gets Ctrl-C")
def test_ctrl_c_ends_the_listening(light_argv, file):
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from sidecar.__main__ import main; sys.exit(main(['live', sys.argv[1]]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, file],
        env=os.environ | {"SIDECAR_ARGV": shlex.join(light_argv)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    seen = []
    for line in process.stdout:
        seen.append(line)
        if " S1" in line:
            break
    process.send_signal(2)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "In hindsight:" in out, seen
