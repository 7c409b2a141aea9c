"""``packaging/signing.py``: what signtool would have been asked for on Windows."""

from __future__ import annotations

import os
import struct
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def signtool(load_script, monkeypatch):
    """The commands with which ``signing`` would have started it on Windows; ``code`` is its end."""
    signing = load_script("signing")
    ran = SimpleNamespace(sign=signing.sign, argvs=[], folders=[], code=0)

    def run(argv, *, cwd, **_):
        ran.argvs.append(argv)
        ran.folders.append(cwd)
        return SimpleNamespace(returncode=ran.code)

    monkeypatch.setattr(signing.subprocess, "run", run)
    monkeypatch.setattr(signing.shutil, "which", lambda name: rf"C:\tools\{name}.exe")
    monkeypatch.setattr(sys, "platform", "win32")
    for name in [name for name in os.environ if name.startswith("SIGN_")]:
        monkeypatch.delenv(name)
    return ran


def binary(path, *, n_signature_bytes=0, magic=0x20B):
    """Write the head of a program or library for Windows, as far as it tells of a signature."""
    path.parent.mkdir(parents=True, exist_ok=True)
    optional = 0x80 + 4 + 20
    head = bytearray(optional + 240)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    head[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<H", head, optional, magic)
    directories = optional + (112 if magic == 0x20B else 96)
    struct.pack_into("<II", head, directories + 4 * 8, 0x400, n_signature_bytes)
    path.write_bytes(head)


@pytest.fixture
def bundle(tmp_path):
    """A bundle whose program and one library are not signed, and another is, by its maker."""
    binary(tmp_path / "speaker-sidecar.exe")
    binary(tmp_path / "_internal" / "_soxr.pyd", magic=0x10B)
    binary(tmp_path / "_internal" / "python311.dll", n_signature_bytes=9_000)
    (tmp_path / "_internal" / "base_library.zip").write_bytes(b"PK")
    (tmp_path / "_internal" / "old.com").write_bytes(b"MZ" + bytes(300))
    return tmp_path


UNSIGNED = ["_internal/_soxr.pyd", "speaker-sidecar.exe"]


def test_without_a_certificate_nothing_is_signed(signtool, capsys, tmp_path):
    signtool.sign(tmp_path)
    assert "not signed: SIGN_CERTIFICATE names no .pfx file" in capsys.readouterr().out
    assert signtool.argvs == []


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"SIGN_CERTIFICATE": "mine.pfx"}, ["/f", "mine.pfx"]),
        (
            {"SIGN_CERTIFICATE": "mine.pfx", "SIGN_PASSWORD": "word"},
            ["/f", "mine.pfx", "/p", "word"],
        ),
        ({"SIGN_THUMBPRINT": "0a1b", "SIGN_PASSWORD": "word"}, ["/sha1", "0a1b"]),
        # Empty is how a workflow passes on a secret that is not set.
        ({"SIGN_CERTIFICATE": "mine.pfx", "SIGN_THUMBPRINT": ""}, ["/f", "mine.pfx"]),
        (
            {"SIGN_DLIB": "Azure.CodeSigning.Dlib.dll", "SIGN_METADATA": "account.json"},
            ["/dlib", "Azure.CodeSigning.Dlib.dll", "/dmdf", "account.json"],
        ),
    ],
)
def test_signed_with_what_the_environment_names(signtool, monkeypatch, bundle, variables, options):
    # signtool runs elsewhere, so that its line is short, and takes whole paths.
    files = ("SIGN_CERTIFICATE", "SIGN_DLIB", "SIGN_METADATA")
    whole = {
        variables[name]: str(Path(variables[name]).resolve()) for name in files & variables.keys()
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    signtool.sign(bundle)
    [argv] = signtool.argvs
    assert argv[:2] == [r"C:\tools\signtool.exe", "sign"]
    options = [whole.get(word, word) for word in options]
    start = argv.index("/tr") + 2
    assert argv[start : start + len(options)] == options
    files = argv[start + len(options) :]
    assert [Path(file).as_posix() for file in files] == UNSIGNED
    assert signtool.folders == [bundle]


def test_azure_vouches_for_its_own_time(signtool, monkeypatch, bundle):
    monkeypatch.setenv("SIGN_CERTIFICATE", "mine.pfx")
    signtool.sign(bundle)
    monkeypatch.setenv("SIGN_DLIB", "Azure.CodeSigning.Dlib.dll")
    monkeypatch.setenv("SIGN_METADATA", "account.json")
    signtool.sign(bundle)
    servers = [argv[argv.index("/tr") + 1] for argv in signtool.argvs]
    assert [server.split(".")[1] for server in servers] == ["digicert", "acs"]


def test_a_failed_signature_ends_the_build_and_tells_no_password(
    load_script, signtool, monkeypatch, bundle
):
    monkeypatch.setenv("SIGN_CERTIFICATE", "mine.pfx")
    monkeypatch.setenv("SIGN_PASSWORD", "open sesame")
    signtool.code = 1
    with pytest.raises(load_script("build_failed").BuildFailed, match="could not sign") as failed:
        signtool.sign(bundle)
    assert "sesame" not in "".join(traceback.format_exception(failed.value))


def test_signtool_is_found_in_the_newest_sdk(load_script, signtool, monkeypatch, tmp_path):
    monkeypatch.setattr(load_script("signing").shutil, "which", lambda _: None)
    monkeypatch.setenv("PROGRAMFILES(X86)", str(tmp_path))
    monkeypatch.setenv("SIGN_CERTIFICATE", "mine.pfx")
    with pytest.raises(load_script("build_failed").BuildFailed, match="install the Windows SDK"):
        signtool.sign(tmp_path)
    tools = tmp_path / "Windows Kits" / "10" / "bin"
    for folder in ("10.0.9600.0/x64", "10.0.26100.0/x64", "10.0.26100.0/arm64", "x64"):
        (tools / folder).mkdir(parents=True)
        (tools / folder / "signtool.exe").touch()
    signtool.sign(tmp_path)
    [[program, *_]] = signtool.argvs
    assert program == str(tools / "10.0.26100.0" / "x64" / "signtool.exe")
