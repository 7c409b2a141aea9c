"""A file at a URL.

Neither a name lookup nor a connect can be interrupted, and a stop must not wait for them: the
transfer runs in a thread of its own, and is abandoned there.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sidecar import __version__
from sidecar.store.assets import (
    POLL_S,
    AssetFile,
    Patience,
    SourceFailed,
    Watch,
    is_disk_full,
    require_room,
)

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

    def transfer_bytes(self, file: AssetFile) -> int:
        """The file itself."""
        return file.n_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """GET the file. See ``Source.fetch``."""
        require_room(work, file.n_bytes)
        # A folder of its own, where an abandoned transfer that wakes late spoils no other.
        target = Path(tempfile.mkdtemp(dir=work)) / file.name
        patience = Patience(self.answer_limit_s, self.stall_limit_s)
        transfer = _HttpsTransfer(self.url, target, file.n_bytes, self.stall_limit_s)
        transfer.start()
        try:
            while transfer.is_alive():
                transfer.join(POLL_S)
                watch(transfer.n_bytes)
                patience.check(transfer.n_bytes)
        finally:
            transfer.abandoned.set()
        if transfer.failure is not None:
            raise _source_failed(transfer.failure, self.url) from transfer.failure
        return target


class _HttpsTransfer(threading.Thread):
    def __init__(self, url: str, target: Path, max_bytes: int, timeout_s: float) -> None:
        # A daemon: it never holds up the end of the process.
        super().__init__(name="https-transfer", daemon=True)
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
        while not self.abandoned.is_set():
            # One byte too many tells enough: it is another file, however long it goes on.
            chunk = response.read(min(_CHUNK_BYTES, self._max_bytes + 1 - self.n_bytes))
            if not chunk:
                return
            out.write(chunk)
            self.n_bytes += len(chunk)


class _HttpsRedirectsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0913, PLR0917 - the signature is urllib's
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
