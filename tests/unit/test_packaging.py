"""The parts of ``packaging/build.py`` that need neither torch nor PyInstaller."""

from __future__ import annotations

import importlib
import lzma
import os
import plistlib
import re
import shutil
import subprocess
import sys
import tarfile

import pytest
from unit.packaging_files import PACKAGING

from sidecar.hardware.device import TorchBuild


@pytest.fixture
def folder(tmp_path):
    """Something like a bundle, of 1,000 bytes."""
    sizes = {
        "speaker-sidecar": 85,
        "_internal/onnxruntime/capi/libonnx.so": 300,
        "_internal/onnxruntime/_pybind.so": 110,
        "_internal/numpy/core.so": 105,
        "_internal/numpy.libs/blas.so": 200,
        "_internal/libc.so": 5,
        "models/.converted/a/network.onnx": 195,
    }
    bundle = tmp_path / "bundle"
    for name, n_bytes in sizes.items():
        path = bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(n_bytes))
    return bundle


def test_the_help_says_what_is_done_and_how(load_script, capsys):
    with pytest.raises(SystemExit) as ended:
        load_script("build").main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "--edition {cpu,cuda}" in told
    assert "--model ID|DIR" in told
    assert "dist/speaker-sidecar-EDITION" in told


def test_what_takes_the_space_is_told_the_largest_first(load_script, folder):
    lines = [line.split(" MB  ")[1] for line in load_script("space").report(folder)[1:]]
    assert lines == [
        "_internal/onnxruntime/capi/libonnx.so",
        "_internal/numpy.libs/blas.so",
        "models/.converted/a/network.onnx",
        "_internal/onnxruntime/_pybind.so",
        "_internal/numpy/core.so",
        "speaker-sidecar",
        "the rest",
        "in all",
    ]


@pytest.mark.posix("on Windows links need a privilege")
def test_a_link_counts_nothing(load_script, folder):
    space = load_script("space")
    before = space.report(folder)
    (folder / "_internal" / "link.so").symlink_to("onnxruntime/_pybind.so")
    assert space.report(folder) == before


def test_the_archive_has_every_file(load_script, folder):
    told = load_script("space").archive(folder)
    path = folder.with_name("bundle.tar.xz")
    assert told.endswith(f"compressed, {path}")
    with lzma.open(path) as packed, tarfile.open(fileobj=packed) as tar:
        names = {member.name for member in tar if member.isfile()}
    assert names == {f"bundle/{path.relative_to(folder).as_posix()}" for path in files(folder)}


def test_the_archive_is_the_same_each_time(load_script, folder):
    space, path = load_script("space"), folder.with_name("bundle.tar.xz")
    space.archive(folder)
    before = path.read_bytes()
    os.utime(folder / "speaker-sidecar", (1_000_000_000, 1_000_000_000))
    space.archive(folder)
    assert path.read_bytes() == before


@pytest.mark.posix("Windows has no permission to run, and links need a privilege")
def test_the_archive_keeps_links_and_the_permission_to_run(load_script, folder):
    (folder / "speaker-sidecar").chmod(0o755)
    (folder / "_internal" / "link.so").symlink_to("libc.so")
    load_script("space").archive(folder)
    with tarfile.open(folder.with_name("bundle.tar.xz")) as tar:
        assert tar.getmember("bundle/speaker-sidecar").mode == 0o755
        assert tar.getmember("bundle/_internal/libc.so").mode & 0o111 == 0
        assert tar.getmember("bundle/_internal/link.so").linkname == "libc.so"


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_cuda_edition_takes_a_cuda_build_of_torch(load_script, monkeypatch, capsys):
    build = load_script("build")
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: name)
    torch_build = importlib.import_module("sidecar.hardware.torch_build")
    installed = TorchBuild("2.14.1+cpu", None, None)
    monkeypatch.setattr(torch_build, "installed_build", lambda: installed)
    monkeypatch.setattr(sys, "platform", "win32")
    assert build.main(["--edition", "cuda"]) == 1
    told = capsys.readouterr().err
    assert "CPU-only build" in told
    assert "torch==2.14.1 --index-url https://download.pytorch.org/whl/cu130" in told


def test_what_is_missing_is_named(load_script, monkeypatch, capsys):
    build = load_script("build")
    missing = {"PyInstaller", "torch"}
    find = dict.fromkeys(missing)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: find.get(name, name))
    assert build.main(["--edition", "cpu"]) == 1
    assert "pyinstaller, torch is missing: pip install -e '.[build]'" in capsys.readouterr().err
    missing.add("av")
    find.update(dict.fromkeys(missing))
    assert build.main(["--edition", "cpu", "--with-containers"]) == 1
    assert "torch, av is missing: pip install -e '.[build,containers]'" in capsys.readouterr().err


def test_a_bundle_that_does_not_serve_is_no_bundle(load_script, light_argv, monkeypatch, tmp_path):
    trial = load_script("trial")
    start, asked = trial.SpeakerSidecar.start, []

    def light(argv, **how):
        asked.append((argv[argv.index("--model") + 1], argv[argv.index("--runtime") + 1]))
        return start(light_argv, cwd=how["cwd"])

    monkeypatch.setattr(trial.SpeakerSidecar, "start", light)
    lines = trial.try_out(tmp_path, ["one", "other"], ["onnxruntime"])
    assert asked == [("one", "onnxruntime"), ("other", "onnxruntime")]
    for line in lines:
        assert re.fullmatch(r"light with .*: ready after \d+\.\d\d s, \d+ MB resident", line)

    def dead(_argv, **how):
        return start(["false"], cwd=how["cwd"])

    monkeypatch.setattr(trial.SpeakerSidecar, "start", dead)
    with pytest.raises(
        load_script("build_failed").BuildFailed, match="not serve other with onnxruntime"
    ):
        trial.try_out(tmp_path, ["other"], ["onnxruntime"])


def test_every_library_of_a_build_has_one_release():
    tomllib = pytest.importorskip("tomllib", reason="it came with Python 3.11")
    from packaging.requirements import Requirement  # PyPI's, which pytest brings

    project = tomllib.loads((PACKAGING.parent / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (PACKAGING / "constraints.txt").read_text("utf-8").splitlines()
    releases = dict(line.split("==") for line in lines if not line.startswith("#"))
    for text in [*project["dependencies"], *project["optional-dependencies"]["build"]]:
        asked = Requirement(text)
        release = releases[asked.name.lower().replace("_", "-")]
        assert asked.specifier.contains(release), text


def test_what_signs_the_app_again_leaves_the_sidecar_its_entitlements():
    own, app = (
        plistlib.loads((PACKAGING / folder / "entitlements.mac.plist").read_bytes())
        for folder in ("", "electron-example")
    )
    assert set(own) == {
        "com.apple.security.cs.allow-jit",
        "com.apple.security.cs.allow-unsigned-executable-memory",
    }
    assert own.items() <= app.items()


def test_the_windows_script_knows_the_editions_and_ends_its_lines_as_windows_does(load_script):
    script = (PACKAGING / "build.ps1").read_bytes()
    editions = ", ".join(f'"{edition}"' for edition in load_script("build").RUNTIMES)
    assert f"ValidateSet({editions})".encode() in script
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    told = subprocess.run(
        ["git", "check-attr", "eol", "--", "packaging/build.ps1"],
        cwd=PACKAGING.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        pytest.skip("this is no clone")
    assert told.stdout.strip().endswith("eol: crlf")
