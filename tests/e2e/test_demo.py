from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import wave

import pytest
from bundle_under_test import EDITION

from protocol.errors import ModelUnavailable
from sidecar.store.catalog import CONVERSATION_SAMPLE
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.program import sidecar_argv


@pytest.fixture(scope="module")
def sample() -> dict[str, str]:
    try:
        paths = WeightStore(default_models_dir()).ensure(CONVERSATION_SAMPLE)
    except ModelUnavailable as error:
        pytest.skip(f"no conversation sample: {error.message}")
    return {name: str(path) for name, path in paths.items()}


def run_demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*sidecar_argv(), "demo", "--offline", *words],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def figure(output: str, name: str) -> float:
    found = re.search(rf"{name}\s+([\d.]+)", output)
    assert found, output
    return float(found[1])


@pytest.mark.usefixtures("campplus_weights")
def test_the_sample_is_told_apart(sample):
    # A bundle carries no recording.
    own = ["--file", sample["sample.wav"], "--rttm", sample["sample.rttm"]]
    done = run_demo("--device", "cpu", *([] if EDITION is None else own))
    assert done.returncode == 0, done.stderr
    assert figure(done.stdout, "mean within a speaker") >= 0.65
    assert figure(done.stdout, "mean across speakers") <= 0.38
    assert "voice A  turns 1, 3, 5, 7: all speaker90" in done.stdout
    assert "voice B  turns 2, 4, 6: all speaker91" in done.stdout
    assert ("PASS" in done.stdout) == (EDITION is None)
    assert "\x1b" not in done.stdout + done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.usefixtures("campplus_weights")
def test_a_file_without_annotation(sample):
    done = run_demo("--device", "cpu", "--file", sample["sample.wav"])
    assert done.returncode == 0, done.stderr
    assert "20 windows of 1.5 s" in done.stdout
    assert "voice A" in done.stdout
    assert "PASS" not in done.stdout


@pytest.mark.skipif(EDITION is not None, reason="a bundle has its model inside")
@pytest.mark.usefixtures("sample")
def test_a_model_that_is_not_installed(tmp_path, sample):
    audio, rttm = sample["sample.wav"], sample["sample.rttm"]
    done = run_demo("--models-dir", str(tmp_path), "--file", audio, "--rttm", rttm)
    assert done.returncode == 69
    assert "campplus_cn_en_common.pt of campplus-zh-en is not" in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.fixture
def light_demo(light_argv, tmp_path):
    """Starts the demo with an encoder that needs no torch, on a recording of 3 s."""
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(range(1, 97)) * 1000)
    quote = shlex.join if os.name == "posix" else subprocess.list2cmdline

    def start(**environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sidecar", "demo", "--file", str(tmp_path / "a.wav")],
            env=os.environ | {"SIDECAR_ARGV": quote(light_argv)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # Where the tests run in the background, a shell has told them to ignore it.
            preexec_fn=obey_ctrl_c if os.name == "posix" else None,  # noqa: PLW1509 - no threads
        )

    return start


def obey_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_sidecar_that_dies_on_the_way(light_demo):
    process = light_demo(FAULT="device:1")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 70
    assert "Recording" in out
    assert "the sidecar died: the device failed" in err


@pytest.mark.posix("on Windows no single process gets Ctrl-C")
def test_ctrl_c_ends_the_sidecar_too(light_demo, tmp_path):
    process = light_demo(LIGHT_EMBED_GATE=str(tmp_path / "never"))
    child_pid = int(line_with("process ", process.stdout).split("process ")[1])
    line_with("embedding", process.stderr)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped" in err
    with pytest.raises(ProcessLookupError):
        os.kill(child_pid, 0)


def line_with(text, lines):
    seen = []
    for line in lines:
        if text in line:
            return line
        seen.append(line)
    return pytest.fail(f"{text!r} is not in {seen}")
