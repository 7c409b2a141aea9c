"""The parts of ``packaging/build.py`` that need neither torch nor PyInstaller."""

from __future__ import annotations

import importlib
import lzma
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sidecar.device import TorchBuild

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


@pytest.fixture
def load(monkeypatch):
    """Imports a script of ``packaging/``, as it is imported when it runs."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    return importlib.import_module


@pytest.fixture
def folder(tmp_path):
    """Something like a bundle, of 1,000 bytes."""
    sizes = {
        "speaker-sidecar": 85,
        "_internal/openvino/libs/libopenvino.so": 300,
        "_internal/openvino/_pyopenvino.so": 110,
        "_internal/numpy/core.so": 105,
        "_internal/numpy.libs/blas.so": 200,
        "_internal/libc.so": 5,
        "models/.openvino/a/network.bin": 195,
    }
    bundle = tmp_path / "bundle"
    for name, n_bytes in sizes.items():
        path = bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(n_bytes))
    return bundle


def test_the_help_says_what_is_done_and_how(load, capsys):
    with pytest.raises(SystemExit) as ended:
        load("build").main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "--edition {cpu,cuda}" in told
    assert "--model ID|DIR" in told
    assert "dist/speaker-sidecar-EDITION" in told


def test_what_takes_the_space_is_told_the_largest_first(load, folder):
    lines = [line.split(" MB  ")[1] for line in load("space").report(folder)[1:]]
    assert lines == [
        "_internal/openvino/libs/libopenvino.so",
        "_internal/numpy.libs/blas.so",
        "models/.openvino/a/network.bin",
        "_internal/openvino/_pyopenvino.so",
        "_internal/numpy/core.so",
        "speaker-sidecar",
        "the rest",
        "in all",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_counts_nothing(load, folder):
    space = load("space")
    before = space.report(folder)
    (folder / "_internal" / "link.so").symlink_to("openvino/_pyopenvino.so")
    assert space.report(folder) == before


def test_the_archive_has_every_file(load, folder):
    told = load("space").archive(folder)
    path = folder.with_name("bundle.tar.xz")
    assert told.endswith(f"compressed, {path}")
    with lzma.open(path) as packed, tarfile.open(fileobj=packed) as tar:
        names = {member.name for member in tar if member.isfile()}
    assert names == {f"bundle/{path.relative_to(folder).as_posix()}" for path in files(folder)}


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_cuda_edition_takes_a_cuda_build_of_torch(load, monkeypatch, capsys):
    build = load("build")
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: name)
    torch_build = importlib.import_module("sidecar.runtimes.torch_build")
    installed = TorchBuild("2.14.1+cpu", None, None)
    monkeypatch.setattr(torch_build, "installed_build", lambda: installed)
    monkeypatch.setattr(sys, "platform", "win32")
    assert build.main(["--edition", "cuda"]) == 1
    told = capsys.readouterr().err
    assert "CPU-only build" in told
    assert "torch==2.14.1 --index-url https://download.pytorch.org/whl/cu130" in told


def test_what_is_missing_is_named(load, monkeypatch, capsys):
    build = load("build")
    missing = {"PyInstaller", "torch"}
    find = dict.fromkeys(missing)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: find.get(name, name))
    assert build.main(["--edition", "cpu"]) == 1
    assert "pyinstaller, torch is missing: pip install -e '.[build]'" in capsys.readouterr().err


def test_without_a_certificate_nothing_is_signed(load, monkeypatch, capsys, tmp_path):
    signing = load("signing")
    ran = []
    monkeypatch.setattr(signing.subprocess, "run", lambda argv, **_: ran.append(argv))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("SIGN_CERTIFICATE", raising=False)
    signing.sign(tmp_path)
    assert "not signed: SIGN_CERTIFICATE names no .pfx file" in capsys.readouterr().out
    assert ran == []
    monkeypatch.setenv("SIGN_CERTIFICATE", "mine.pfx")
    monkeypatch.setenv("SIGN_PASSWORD", "word")
    signing.sign(tmp_path)
    [argv] = ran
    assert argv[:2] == ["signtool", "sign"]
    assert argv[argv.index("/f") + 1 : argv.index("/f") + 4] == ["mine.pfx", "/p", "word"]
    assert argv[-1] == str(tmp_path / "speaker-sidecar.exe")


@pytest.mark.parametrize("newer", ["inside", "installed"])
def test_the_newer_c_runtime_is_shipped(load, monkeypatch, tmp_path, newer):
    runtime = load("windows_runtime")
    ours, theirs = tmp_path / "bundle" / "_internal", tmp_path / "System32"
    for folder, word in ((ours, "inside"), (theirs, "installed")):
        folder.mkdir(parents=True)
        (folder / runtime.NAME).write_text(word)
    versions = {"inside": (14, 44, 1, 0), "installed": (14, 44, 1, 0), newer: (14, 50, 0, 0)}
    monkeypatch.setattr(runtime, "file_version", lambda path: versions[path.read_text()])
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    assert "14.50.0.0 is inside" in runtime.ship_runtime(tmp_path / "bundle")
    assert (ours / runtime.NAME).read_text() == newer


def test_an_old_c_runtime_ends_the_build(load, monkeypatch, tmp_path):
    runtime = load("windows_runtime")
    (tmp_path / "System32").mkdir()
    (tmp_path / "System32" / runtime.NAME).touch()
    monkeypatch.setattr(runtime, "file_version", lambda _: (14, 38, 0, 0))
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    with pytest.raises(SystemExit, match="Visual C"):
        runtime.ship_runtime(tmp_path / "bundle")


def test_a_bundle_that_does_not_serve_is_no_bundle(load, light_argv, monkeypatch, tmp_path):
    trial = load("trial")
    client, asked = trial.Client, []

    def light(argv, **how):
        asked.append((argv[argv.index("--model") + 1], argv[argv.index("--runtime") + 1]))
        return client(light_argv, cwd=how["cwd"])

    monkeypatch.setattr(trial, "Client", light)
    lines = trial.try_out(tmp_path, ["one", "other"], ["openvino"])
    assert asked == [("one", "openvino"), ("other", "openvino")]
    for line in lines:
        assert re.fullmatch(r"light with .*: ready after \d+\.\d\d s, \d+ MB resident", line)
    monkeypatch.setattr(trial, "Client", lambda _argv, **how: client(["false"], cwd=how["cwd"]))
    with pytest.raises(load("build_failed").BuildFailed, match="not serve other with openvino"):
        trial.try_out(tmp_path, ["other"], ["openvino"])


def test_the_windows_script_knows_the_editions_and_ends_its_lines_as_windows_does(load):
    script = (PACKAGING / "build.ps1").read_bytes()
    editions = ", ".join(f'"{edition}"' for edition in load("build").RUNTIMES)
    assert f"ValidateSet({editions})".encode() in script
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
