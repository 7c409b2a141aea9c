"""Microsoft's C++ runtime in a bundle: which libraries come in, and of which release."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def c_runtime(load_script, monkeypatch, tmp_path):
    """``windows_runtime``, a bundle's libraries and the system's; each says its release itself."""
    runtime = load_script("windows_runtime")
    inside, installed = tmp_path / "bundle" / "_internal", tmp_path / "System32"
    for folder in (inside, installed):
        folder.mkdir(parents=True)

    def release(path):
        return tuple(map(int, path.read_text().split(".")))

    monkeypatch.setattr(runtime, "file_version", release)
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    return SimpleNamespace(
        ship=lambda: runtime.ship_runtime(tmp_path / "bundle"), inside=inside, installed=installed
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("14.50.0.0", "14.44.1.0"), ("14.44.1.0", "14.50.0.0"), (None, "14.50.0.0")],
)
def test_the_newer_c_runtime_is_shipped(c_runtime, ours, theirs):
    if ours is not None:
        (c_runtime.inside / "msvcp140.dll").write_text(ours)
    (c_runtime.installed / "msvcp140.dll").write_text(theirs)
    assert "msvcp140.dll 14.50.0.0" in c_runtime.ship()
    assert (c_runtime.inside / "msvcp140.dll").read_text() == "14.50.0.0"


def test_the_c_runtime_is_renewed_as_a_set(c_runtime):
    old = ("MSVCP140.dll", "MSVCP140_1.dll", "VCRUNTIME140.dll", "VCRUNTIME140_1.dll")
    # A wheel's own copy under another name, another library, and one that the system has not.
    others = ("msvcp140-0a1b2c3d.dll", "zlib1.dll", "vcomp140.dll")
    for name in (*old, *others):
        (c_runtime.inside / name).write_text("14.38.0.0")
    for name in (*old, "msvcp140.dll", "concrt140.dll", "zlib1.dll"):
        (c_runtime.installed / name).write_text("14.50.0.0")
    told = c_runtime.ship()
    found = {path.name: path.read_text() for path in c_runtime.inside.iterdir()}
    assert found == dict.fromkeys(old, "14.50.0.0") | dict.fromkeys(others, "14.38.0.0")
    assert "vcruntime140_1.dll 14.50.0.0" in told
    assert "vcomp140.dll 14.38.0.0" in told


@pytest.mark.parametrize("has_torch", [True, False])
def test_what_torch_needs_of_the_c_runtime_is_beside_it(c_runtime, has_torch):
    for name in ("msvcp140.dll", "vcruntime140_threads.dll"):
        (c_runtime.installed / name).write_text("14.50.0.0")
    if has_torch:
        (c_runtime.inside / "torch").mkdir()
    assert ("vcruntime140_threads.dll 14.50.0.0" in c_runtime.ship()) == has_torch
    assert (c_runtime.inside / "vcruntime140_threads.dll").exists() == has_torch


@pytest.mark.parametrize("lacks", ["msvcp140.dll", "vcruntime140_threads.dll"])
@pytest.mark.parametrize("theirs", [None, "14.38.0.0"])
def test_without_a_recent_c_runtime_there_is_no_bundle(load_script, c_runtime, lacks, theirs):
    (c_runtime.inside / "torch").mkdir()
    for name in ("msvcp140.dll", "vcruntime140_threads.dll"):
        (c_runtime.installed / name).write_text("14.50.0.0")
    if theirs is None:
        (c_runtime.installed / lacks).unlink()
    else:
        (c_runtime.installed / lacks).write_text(theirs)
    with pytest.raises(load_script("build_failed").BuildFailed, match=f"{lacks}.*Visual C"):
        c_runtime.ship()


@pytest.mark.skipif(sys.platform != "win32", reason="torch's libraries for Windows are there alone")
def test_torch_needs_no_more_of_the_c_runtime_than_that(load_script):
    """What its libraries import of the set is what PyInstaller collects, or ``TORCH_NAME``."""
    torch = importlib.util.find_spec("torch")
    if torch is None or importlib.util.find_spec("PyInstaller") is None:
        pytest.skip("no torch, or no PyInstaller")
    from PyInstaller.depend import dylib

    runtime = load_script("windows_runtime")
    named = set()
    for library in Path(torch.origin).parent.glob("lib/*.dll"):
        found = re.findall(rb"\b[\w-]+140\w*\.dll\b", library.read_bytes(), re.IGNORECASE)
        named |= {name.decode().lower() for name in found}
    of_the_set = {name for name in named if runtime._SET.fullmatch(name)}
    assert "vcruntime140.dll" in of_the_set
    system = Path(os.environ["SYSTEMROOT"], "System32")
    left_out = {name for name in of_the_set if not dylib.include_library(str(system / name))}
    assert left_out == {runtime.TORCH_NAME}


def test_a_library_is_closed_when_its_release_is_read(load_script, monkeypatch):
    """Else it cannot be written over on Windows."""
    closed = []
    high, low = 14 << 16 | 44, 35211 << 16 | 1
    about = SimpleNamespace(FileVersionMS=high, FileVersionLS=low)
    library = SimpleNamespace(
        parse_data_directories=lambda _: None,
        VS_FIXEDFILEINFO=[about],
        close=lambda: closed.append(True),
    )
    pefile = SimpleNamespace(
        PE=lambda _name, **_: library, DIRECTORY_ENTRY={"IMAGE_DIRECTORY_ENTRY_RESOURCE": 2}
    )
    monkeypatch.setitem(sys.modules, "pefile", pefile)
    assert load_script("windows_runtime").file_version(Path("a.dll")) == (14, 44, 35211, 1)
    assert closed == [True]
