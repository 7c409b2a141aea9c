"""The snippets of README.md run as they are printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def snippet(language):
    text = (ROOT / "README.md").read_text("utf-8")
    [code] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return code


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(range(256)) * 125)
    return path


@pytest.fixture
def environment(campplus_weights):
    assert campplus_weights
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}


def run(command, folder, environment):
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.splitlines()


def test_the_python_snippet(tmp_path, recording, environment):
    (tmp_path / "host.py").write_text(snippet("python"), "utf-8")
    lines = run([sys.executable, "host.py", str(recording)], tmp_path, environment)
    assert lines[0].split() == ["hello"]
    assert lines[-1].startswith("192 ")


def test_the_node_snippet(tmp_path, recording, environment):
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node is not installed")
    installed = subprocess.run(
        [npm, "install", "@msgpack/msgpack@3"], cwd=tmp_path, capture_output=True, check=False
    )
    if installed.returncode:
        pytest.skip("npm cannot install @msgpack/msgpack here")
    (tmp_path / "host.mjs").write_text(snippet("js"), "utf-8")
    lines = run(["node", "host.mjs", str(recording)], tmp_path, environment)
    assert lines[0].split() == ["hello"]
    assert "192 cpu" in lines or any(line.startswith("192 cuda") for line in lines)
