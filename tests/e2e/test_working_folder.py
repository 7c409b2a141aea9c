"""The working folder is the host's: nothing that lies there is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("protocol", "msgpack", "numpy", "argparse", "logging", "json", "soundfile", "onnxruntime")


@pytest.fixture
def folder(tmp_path):
    """One with a module of each name that tells when it is run."""
    for name in NAMES:
        text = f"open({str(tmp_path / 'run')!r}, 'a').write({name + ' '!r})"
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.mark.parametrize("arguments", [["--version"], ["doctor", "--json"], ["--model", "nosuch"]])
def test_no_module_of_the_working_folder_is_run(folder, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=b"",  # not the null device, which passes for a terminal on Windows
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 69}, done.stderr.decode()
    run = folder / "run"
    assert not run.exists(), f"it ran {run.read_text()}"


@pytest.mark.posix("on Windows a folder in use cannot be deleted")
def test_a_working_folder_may_have_been_deleted(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd '{gone}' && rmdir '{gone}' && exec '{sys.executable}' -m sidecar --version"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
