"""The Windows lane: what it takes, what it refuses, and what it says where it cannot run."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from unit.packaging_files import PACKAGING

SIGNED = """\
Current message digest    : 0C70AB
Calculated message digest : 0C70AB

\t\tSubject: /C=US/O=Python Software Foundation/CN=Python Software Foundation
\t\tIssuer : /C=US/O=DigiCert, Inc./CN=DigiCert Trusted G4
Signature verification: ok
"""


@pytest.fixture
def load(monkeypatch):
    """Imports a module of the lane."""
    monkeypatch.syspath_prepend(str(PACKAGING / "windows"))
    return importlib.import_module


@pytest.fixture
def signatures(load, monkeypatch):
    """The module, with what osslsigncode says in ``told``."""
    module = load("signatures")
    module_told = SimpleNamespace(told=SIGNED, require=module.require_signature, module=module)
    monkeypatch.setattr(
        module.subprocess,
        "run",
        lambda *_, **__: SimpleNamespace(stdout=module_told.told, stderr=""),
    )
    return module_told


def test_what_python_signed_is_taken(signatures):
    signatures.require([Path("python311.dll")], signatures.module.PYTHON)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("Calculated message digest : 0C70AB", "Calculated message digest : 0C70AC", "was changed"),
        ("Current message digest    : 0C70AB", "", "was changed"),
        ("Python Software Foundation", "Another", "is not signed by Python Software"),
        ("Subject:", "Issuer :", "is not signed by Python Software"),
        ("verification: ok", "verification: failed", "no chain"),
        (SIGNED, "No signature found.", "is not signed by Python Software"),
    ],
)
def test_other_binaries_are_refused(signatures, load, before, after, told):
    signatures.told = SIGNED.replace(before, after)
    with pytest.raises(load("lane_failed").LaneFailed, match=told):
        signatures.require([Path("python311.dll")], signatures.module.PYTHON)


def test_of_the_pins_comes_what_windows_needs(load):
    names = load("packages")._libraries()
    assert {"numpy", "onnxruntime", "torch", "nvidia-ml-py", "pefile", "colorama"} <= set(names)
    assert not {"triton", "nvidia-nccl-cu13", "cuda-toolkit", "macholib"} & set(names)


def test_a_path_as_windows_spells_it(load):
    assert load("wine").windows_path(Path("/a b/c")) == r"Z:\a b\c"


@pytest.fixture
def debian(load, monkeypatch):
    """A Debian 12, without Wine, whose root we are not; ``ran`` is what was started there."""
    packages = load("packages")
    machine = SimpleNamespace(release={"ID": "debian", "VERSION_ID": "12"}, euid=1000, ran=[])

    def run(argv, **_):
        machine.ran.append(argv)
        return SimpleNamespace(stdout=b"not-installed", returncode=0)

    monkeypatch.setattr(packages.sys, "platform", "linux")
    monkeypatch.setattr(packages.platform, "freedesktop_os_release", lambda: machine.release)
    monkeypatch.setattr(packages.os, "geteuid", lambda: machine.euid, raising=False)
    monkeypatch.setattr(packages.subprocess, "run", run)
    return machine


@pytest.mark.parametrize(
    ("release", "reason"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, "wine64, .*: not installed; as root"),
        ({"ID": "debian", "VERSION_ID": "13"}, "it is made for Debian 12, with its Wine 8"),
        ({"ID": "fedora"}, "it is made for Debian 12, with its Wine 8"),
    ],
)
def test_where_wine_cannot_be_installed_it_skips_with_the_reason(
    load, debian, capsys, release, reason
):
    debian.release = release
    lane = load("lane")
    assert lane.main([]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("SKIPPED the Windows lane: ")
    with pytest.raises(load("packages").NoWine, match=reason):
        load("packages").require_debian_packages()
    assert not [argv for argv in debian.ran if argv[0] == "apt-get"]


def test_root_installs_what_is_missing_and_says_so_before(load, debian, capsys):
    debian.euid = 0
    load("packages").require_debian_packages()
    assert capsys.readouterr().out.startswith("installing wine64, ")
    update, install = [argv for argv in debian.ran if argv[0] == "apt-get"]
    assert update[-1] == "update"
    assert install[-4:] == list(load("packages").DEBIAN)


def test_a_step_that_fails_is_the_last_and_has_its_time(load, monkeypatch, capsys):
    lane = load("lane")

    def fail():
        raise subprocess.CalledProcessError(1, "apt-get")

    monkeypatch.setattr(lane, "require_debian_packages", fail)
    assert lane.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("FAILED: ")
    assert lines[-3:-1] == ["    0 s  Debian's packages", "    0 s  in all"]


@pytest.fixture
def in_place_of_wine(load, monkeypatch, tmp_path):
    """Runs a script of the shell as the lane runs a program of Windows."""
    wine = load("wine")
    monkeypatch.setattr(wine, "_SERVER", "/bin/true")
    monkeypatch.setattr(wine, "_PROGRAM", "/bin/sh")
    windows = wine.Wine(tmp_path / "wine", [])

    def run(script, limit_s=30.0):
        words = ["-c", script]
        windows.run(words, folder=tmp_path, environment={"WORD": "told"}, limit_s=limit_s)

    return run


@pytest.mark.posix("the lane runs on Linux")
class TestAProgramOfTheLane:
    def test_what_it_leaves_behind_holds_nothing_up(self, in_place_of_wine, capfd):
        in_place_of_wine("sleep 9 & echo $WORD", limit_s=5.0)
        assert capfd.readouterr().out == "told\n"

    def test_its_exit_code_counts(self, in_place_of_wine, load):
        with pytest.raises(load("lane_failed").LaneFailed, match="-c exit 3: exit code 3"):
            in_place_of_wine("exit 3")

    def test_it_has_so_much_time(self, in_place_of_wine, load):
        with pytest.raises(load("lane_failed").LaneFailed, match="still running after 0 s"):
            in_place_of_wine("yes", limit_s=0.0)

    def test_of_the_environment_python_gets_nothing(self, in_place_of_wine, monkeypatch, capfd):
        monkeypatch.setenv("PYTHONPATH", "/elsewhere")
        in_place_of_wine("echo [$PYTHONPATH]")
        assert capfd.readouterr().out == "[]\n"
