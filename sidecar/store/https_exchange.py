"""One GET in a thread of its own, which never touches a file.

Neither a name lookup nor a connect can be interrupted, and a stop must not wait for them: whoever
asked takes what comes from a queue, and abandons the thread when it has enough.
"""

from __future__ import annotations

import email.utils
import errno
import http.client
import queue
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from sidecar import __version__
from sidecar.store.assets import POLL_S, Interrupted, SourceFailed

CHUNK_BYTES = 1 << 16
_QUEUED_CHUNKS = 16
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING_ERRNOS = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer: the status, where its bytes begin, and how long the file is.

    ``n_bytes`` is None where the answer does not say it; ``start`` is None where it makes no sense.
    """

    status: int
    start: int | None
    n_bytes: int | None


class Exchange(threading.Thread):
    """GET ``url`` from the byte ``start`` on, through the proxy of the environment or the system.

    ``items`` gets a ``Head``, then the bytes in chunks, an empty one at the end; or, at any time,
    the exception that ended it, for ``failure`` to read.

    Args:
        url: where.
        start: the first byte that is asked for.
        token: what the user is known by; it goes to the origin of ``url`` and to no other.
        timeout_s: how long the thread itself waits for each byte.
    """

    def __init__(self, url: str, start: int, token: str | None, timeout_s: float) -> None:
        # A daemon: it never holds up the end of the process.
        super().__init__(name="https-exchange", daemon=True)
        self._url = url
        self._start_byte = start
        self._token = token
        self._timeout_s = timeout_s
        self.items: queue.Queue[Head | bytes | Exception] = queue.Queue(_QUEUED_CHUNKS)
        self.abandoned = threading.Event()

    def run(self) -> None:
        """Ask, and put what comes into ``items``."""
        try:
            self._get()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == _RANGE_NOT_SATISFIABLE:
                self._put(Head(error.code, None, None))
            else:
                self._put(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._put(error)

    def _get(self) -> None:
        opener = urllib.request.build_opener(_HttpsRedirectsOnly)
        # A scheme other than http can only come from HF_ENDPOINT, where it is looked at.
        request = urllib.request.Request(self._url, headers=self._headers())  # noqa: S310
        with opener.open(request, timeout=self._timeout_s) as response:
            self._put(_read_head(response))
            while not self.abandoned.is_set():
                chunk = response.read1(CHUNK_BYTES)
                self._put(chunk)
                if not chunk:
                    return

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"speaker-sidecar/{__version__}"}
        if self._start_byte:
            # No If-Range: the hash tells whether the parts belong together, whoever sent them.
            headers["Range"] = f"bytes={self._start_byte}-"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _put(self, item: Head | bytes | Exception) -> None:
        while not self.abandoned.is_set():
            with suppress(queue.Full):
                self.items.put(item, timeout=POLL_S)
                return


def _read_head(response: http.client.HTTPResponse) -> Head:
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return Head(response.status, 0, response.length)
    told = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", told.strip())
    if match is None:
        return Head(response.status, None, None)
    start, n_bytes = match.groups()
    return Head(response.status, int(start), None if n_bytes == "*" else int(n_bytes))


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
            # Without the rest: an address may have a signature that opens what it names.
            address = "://".join(_origin(newurl))
            raise urllib.error.URLError(f"it redirects to an address without TLS, {address}")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and _origin(newurl) != _origin(req.full_url):
            request.remove_header("Authorization")
        return request


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def failure(error: Exception, url: str) -> SourceFailed:
    """What it means that ``error`` ended an exchange with ``url``; ``Interrupted`` may pass."""
    if isinstance(error, urllib.error.HTTPError):
        # One line: urllib's own reason for a loop of redirects has several.
        reason = " ".join(f"the server answered {error.code} {error.reason}".split())
        if error.code in _PASSING_STATUSES:
            return Interrupted(reason, _retry_after_s(error.headers.get("Retry-After", "")))
        return SourceFailed(reason)
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        reason = f"the host's name cannot be resolved ({cause.strerror})"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"its certificate is not trusted ({cause.verify_message})"
    elif isinstance(cause, http.client.InvalidURL):
        reason = "the address is not valid"  # what is wrong with it may be a password
    else:
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    kind = Interrupted if _may_pass(cause) else SourceFailed
    return kind(_via_proxy(url) + reason)


def _may_pass(cause: object) -> bool:
    if isinstance(cause, (socket.gaierror, ssl.SSLCertVerificationError)):
        return False
    cut = (http.client.IncompleteRead, http.client.BadStatusLine)
    if isinstance(cause, (ConnectionError, TimeoutError, ssl.SSLError, *cut)):
        return True
    return isinstance(cause, OSError) and cause.errno in _PASSING_ERRNOS


def _retry_after_s(told: str) -> float:
    if told.strip().isdecimal():
        return float(told)
    with suppress(ValueError, OverflowError, OSError):  # no date, or one that no clock has
        return email.utils.parsedate_to_datetime(told).timestamp() - time.time()
    return 0.0


def _via_proxy(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None or urllib.request.proxy_bypass(parts.netloc):
        return ""
    address = proxy.rpartition("@")[2]  # a proxy's password is not for logs
    return f"through the proxy {address.rpartition('//')[2]}: "
