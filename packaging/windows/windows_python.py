"""A Windows Python for the lane: python.org's own CPython 3.11, put together from signed binaries.

PyPI has no Python for Windows that is whole and python.org's. But panda3d's wheel carries
python311.dll and the extension modules as python.org signed them, and the standard library is the
same on every system. What is made here is small: python.exe, which calls the DLL, and python3.dll,
by which extension modules for every Python 3 find it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lane_failed import LaneFailed
from packages import HERE
from signatures import MICROSOFT, PYTHON, require_signature
from wine import windows_path

ROOT = HERE.parent.parent

# In the wheels of runtime.txt: Python's and Microsoft's.
_PYTHONS = re.compile(r"deploy_libs/(?!api-ms-|VCRUNTIME|t(cl|k)86t|_tkinter)[^/]+\.(dll|pyd)")
_MICROSOFTS = re.compile(r".*/bin/ucrtbase\.dll|.*/Scripts/[^/]+\.dll")
# What python.org's installer puts beside python.exe; the rest of the runtime is the system's.
_BESIDE = ["msvcp140", "msvcp140_1", "msvcp140_2", "msvcp140_atomic_wait", "concrt140"]
_BESIDE += ["vcruntime140", "vcruntime140_1", "vcruntime140_threads"]

_COMPILER = "x86_64-w64-mingw32-gcc-win32"
_OBJDUMP = "x86_64-w64-mingw32-objdump"
# How objdump shows each name that a DLL exports.
_EXPORTED = re.compile(r"^\t\[ *\d+\] (\w+)$", re.MULTILINE)
# As in python.org's python.exe.
_STACK_BYTES = 2_000_000

# Of the standard library of a Python for Linux: what is for Linux, and what nothing here needs.
_LEFT_OUT = ["lib-dynload", "config-3*", "_sysconfigdata*", "site-packages", "__pycache__"]
_LEFT_OUT += ["test", "idlelib", "tkinter"]
# From 3.11.8 on the importer in the DLL calls this without an instance; earlier libraries have it
# as a plain method.
_PLAIN_METHOD = re.compile(r"(?<!@classmethod\n)    def invalidate_caches\(cls\)")


@dataclass(frozen=True, slots=True)
class WindowsPython:
    """``program`` is python.exe; ``runtime`` are Microsoft's DLLs, for System32."""

    program: Path
    runtime: list[Path]


def make(folder: Path, runtime: Sequence[Path], libraries: Sequence[Path]) -> WindowsPython:
    """Make one in ``folder``, anew, which imports ``libraries`` and this checkout.

    Args:
        folder: where python.exe will lie, and below it the rest.
        runtime: the wheels of runtime.txt.
        libraries: the wheels to install.

    Raises:
        LaneFailed: a binary is not its maker's, or no standard library of Python 3.11 is there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pythons = _unpacked(runtime, _PYTHONS, folder / "DLLs")
    microsofts = _unpacked(runtime, _MICROSOFTS, folder / "microsoft")
    require_signature(pythons, PYTHON)
    require_signature(microsofts, MICROSOFT)
    library = (folder / "DLLs" / "python311.dll").rename(folder / "python311.dll")
    for name in _BESIDE:
        shutil.copy(folder / "microsoft" / f"{name}.dll", folder)
    _compile(folder / "python.exe", "-municode", f"-Wl,--stack,{_STACK_BYTES}", HERE / "python.c")
    _make_stable_door(folder / "python3.dll", library)
    _copy_standard_library(folder / "Lib")
    _install(libraries, folder / "Lib" / "site-packages")
    return WindowsPython(folder / "python.exe", microsofts)


def _unpacked(wheels: Sequence[Path], wanted: re.Pattern[str], folder: Path) -> list[Path]:
    """The files of those names, side by side in ``folder``."""
    folder.mkdir(parents=True)
    files = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in filter(wanted.fullmatch, archive.namelist()):
                file = folder / name.rpartition("/")[2]
                file.write_bytes(archive.read(name))
                files.append(file)
    return files


def _make_stable_door(door: Path, library: Path) -> None:
    """python3.dll: each name that ``library`` exports, forwarded to it."""
    told = subprocess.run([_OBJDUMP, "-p", library], capture_output=True, text=True, check=True)
    names = _EXPORTED.findall(told.stdout)
    lines = ["LIBRARY python3", "EXPORTS", *(f"{name} = python311.{name}" for name in names)]
    definition = door.with_suffix(".def")
    definition.write_text("\n".join(lines), "utf-8")
    _compile(
        door,
        "-shared",
        "-nostdlib",
        "-Wl,--entry=0",
        "-x",
        "c",
        "/dev/null",
        "-x",
        "none",
        definition,
    )


def _compile(made: Path, *words: str | Path) -> None:
    subprocess.run([_COMPILER, "-O2", "-o", made, *words], check=True)


def _copy_standard_library(folder: Path) -> None:
    here = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if here is None:
        raise LaneFailed("there is no Python 3.11, whose standard library it takes")
    command = [here, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    shutil.copytree(told.stdout.strip(), folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    metadata = folder / "importlib" / "metadata" / "__init__.py"
    text = metadata.read_text("utf-8")
    metadata.write_text(_PLAIN_METHOD.sub(r"    @classmethod\n\g<0>", text), "utf-8")


def _install(wheels: Sequence[Path], folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    pip += ["--platform=win_amd64", "--python-version=3.11", "--only-binary=:all:", "--no-deps"]
    pip += ["--no-index", "--no-compile", "--root-user-action=ignore"]
    subprocess.run([*pip, "--target", folder, *wheels], check=True)
    # As an editable install has it.
    (folder / "speaker-sidecar.pth").write_text(windows_path(ROOT), "utf-8")
