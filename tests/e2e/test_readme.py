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
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    package = ROOT / "protocol" / "node"
    if not (package / "dist" / "index.js").is_file():
        pytest.skip("the npm package is not built: npm ci and npm run build in protocol/node")
    installed = tmp_path / "node_modules" / "speaker-sidecar"
    shutil.copytree(package, installed, ignore=shutil.ignore_patterns("typescript", "@types"))
    (tmp_path / "host.mjs").write_text(snippet("js"), "utf-8")
    line, *_ = run(["node", "host.mjs", str(recording)], tmp_path, environment)
    assert re.fullmatch(r"192 (cpu|cuda:\d+) Float32Array\(3\) \[.*", line)
