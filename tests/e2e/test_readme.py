"""The examples of README.md run as they are printed, and tell two people apart."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from protocol.errors import ModelUnavailable
from sidecar.store.catalog import CONVERSATION_SAMPLE
from sidecar.store.weights import WeightStore, default_models_dir

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 15
# Seconds of the sample in which one person speaks alone, by its annotation.
TURNS = {"ada": (14.7, 17.92), "ada again": (21.78, 27.85), "ben": (10.57, 14.49)}
ANSWERS = pytest.mark.parametrize(
    ("other", "answer"), [("ada again", "the same person"), ("ben", "someone else")]
)


def snippet(language):
    text = (ROOT / "README.md").read_text("utf-8")
    [code] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= MAX_LINES
    return code


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A WAV file of each of ``TURNS``."""
    try:
        files = WeightStore(default_models_dir()).ensure(CONVERSATION_SAMPLE)
    except ModelUnavailable as error:
        pytest.skip(f"no conversation sample: {error.message}")
    folder, paths = tmp_path_factory.mktemp("turns"), {}
    with wave.open(str(files["sample.wav"]), "rb") as sample:
        rate_hz = sample.getframerate()
        for name, (start_s, end_s) in TURNS.items():
            paths[name] = folder / f"{name}.wav"
            sample.setpos(round(start_s * rate_hz))
            with wave.open(str(paths[name]), "wb") as turn:
                turn.setparams(sample.getparams())
                turn.writeframes(sample.readframes(round((end_s - start_s) * rate_hz)))
    return paths


@pytest.fixture
def environment(campplus_weights):
    assert campplus_weights
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}


def run(command, folder, environment):
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    return line


@ANSWERS
def test_the_python_example(other, answer, tmp_path, recordings, environment):
    (tmp_path / "host.py").write_text(snippet("python"), "utf-8")
    command = [sys.executable, "host.py", str(recordings["ada"]), str(recordings[other])]
    assert re.fullmatch(rf"0\.\d\d: {answer}", run(command, tmp_path, environment))


@ANSWERS
def test_the_node_example(other, answer, tmp_path, recordings, environment):
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    package = ROOT / "protocol" / "node"
    if not (package / "dist" / "index.js").is_file():
        pytest.skip("the npm package is not built: npm ci and npm run build in protocol/node")
    installed = tmp_path / "node_modules" / "speaker-sidecar"
    shutil.copytree(package, installed, ignore=shutil.ignore_patterns("typescript", "@types"))
    (tmp_path / "host.mjs").write_text(snippet("js"), "utf-8")
    command = ["node", "host.mjs", str(recordings["ada"]), str(recordings[other])]
    assert re.fullmatch(rf"0\.\d\d: {answer}", run(command, tmp_path, environment))
