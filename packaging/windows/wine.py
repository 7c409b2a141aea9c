"""Wine: a folder that passes for a Windows 10, and programs that run in it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lane_failed import LaneFailed

_PROGRAM = "/usr/lib/wine/wine64"
_SERVER = "/usr/lib/wine/wineserver64"
# Those of Microsoft's C and C++ runtime that come before Wine's own, which lack what numpy calls.
_RUNTIME = ["ucrtbase", "msvcp140", "msvcp140_1", "msvcp140_2", "msvcp140_atomic_wait"]
_RUNTIME += ["vcruntime140", "vcruntime140_1", "vcruntime140_threads", "concrt140", "vcomp140"]
_VARIABLES = {
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    # Neither Mono nor Gecko, which Wine would offer to install.
    "WINEDLLOVERRIDES": f"mscoree,mshtml=;{','.join(_RUNTIME)}=n,b",
    # The names of files are UTF-8.
    "LC_ALL": "C.UTF-8",
    # Else torch's OpenMP makes a call that Wine 8 does not have.
    "KMP_AFFINITY": "disabled",
}
# What Python, pip and the project take from the environment of whoever runs this.
_NOT_PASSED_ON = ("PYTHON", "VIRTUAL_ENV", "SIDECAR_", "SPEAKER_SIDECAR_", "WINE", "KMP_")
# How long to wait for the last of the output, once the program has ended.
_LAST_WORDS_S = 0.3


class Wine:
    """A Windows of its own, below ``folder``, until ``stop``.

    Args:
        folder: where drive C: lies; made anew.
        libraries: Microsoft's DLLs, which an installer would put into System32.
    """

    def __init__(self, folder: Path, libraries: Sequence[Path]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        passed_on = {
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)
        }
        self._environment = {**passed_on, **_VARIABLES, "WINEPREFIX": str(folder)}
        # It stays: a program then starts in 0.3 s instead of 3 s.
        self._start_quietly([_SERVER, "--persistent"])
        self._start_quietly([_PROGRAM, "wineboot", "--init"])
        self._start_quietly([_PROGRAM, "winecfg", "/v", "win10"])
        for library in libraries:
            shutil.copy(library, folder / "drive_c" / "windows" / "system32")

    def run(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        limit_s: float,
    ) -> None:
        """Run a program to its end, and print what it prints.

        Its standard input is empty. A conhost.exe or a services.exe that outlives the program holds
        its output open, so the end of the program counts, not the end of the output.

        Raises:
            LaneFailed: its exit code is not 0, or it is still running after ``limit_s`` seconds.
        """
        ends_at = time.perf_counter() + limit_s
        with subprocess.Popen(
            [_PROGRAM, *command],
            cwd=folder,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            output = process.stdout.fileno()
            while True:
                has_ended = process.poll() is not None
                came = select.select([output], [], [], _LAST_WORDS_S)[0]
                if data := os.read(output, 2**16) if came else b"":
                    sys.stdout.buffer.write(data)
                    sys.stdout.flush()
                elif has_ended:
                    break
                if time.perf_counter() > ends_at:
                    process.kill()
                    raise LaneFailed(f"{_shown(command)}: still running after {limit_s:g} s")
        if process.returncode != 0:
            raise LaneFailed(f"{_shown(command)}: exit code {process.returncode}")

    def stop(self) -> None:
        """End every program that still runs."""
        self._start_quietly([_SERVER, "--kill"])

    def _start_quietly(self, command: Sequence[str]) -> None:
        subprocess.run(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def windows_path(path: Path) -> str:
    r"""How Windows spells it: ``/a/b`` is ``Z:\a\b``."""
    return "Z:" + str(path).replace("/", "\\")


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(map(str, command))
