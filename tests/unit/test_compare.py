"""``packaging/compare.py``: when two builds are the same."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture
def compare(load_script, capsys):
    """Runs it: its exit code, and the lines it printed."""

    def run(one, other):
        code = load_script("compare").main([str(one), str(other)])
        return code, capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def folders(tmp_path):
    """Two that hold the same, made at other times."""
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "models" / ".converted").mkdir(parents=True)
    (one / "models" / ".converted" / "network.onnx").write_bytes(b"network")
    (one / "program").write_bytes(b"program")
    shutil.copytree(one, other)
    os.utime(other / "program", (1_000, 1_000))
    return one, other


def test_the_same_at_another_time(compare, folders):
    assert compare(*folders) == (0, ["2 of 2 files are the same"])


def test_each_file_that_is_not_is_named(compare, folders):
    one, other = folders
    (other / "program").write_bytes(b"Program")
    (one / "models" / "models.json").touch()
    (other / "manifest.json").touch()
    told = ["manifest.json", "models/models.json", "program"]
    lines = [*(f"differs: {name}" for name in told), "1 of 4 files are the same"]
    assert compare(one, other) == (1, lines)


@pytest.mark.posix("Windows has no permission to run, and links need a privilege")
def test_permissions_and_links_count(compare, folders):
    one, other = folders
    (one / "program").chmod(0o755)
    for folder, target in ((one, "program"), (other, "models")):
        (folder / "link").symlink_to(target)
    assert compare(one, other)[1][:2] == ["differs: link", "differs: program"]


def test_two_empty_folders_are_no_builds(compare, tmp_path):
    assert compare(tmp_path, tmp_path)[0] == 1
