"""A web server that has one file, and answers as a test says."""

from __future__ import annotations

import hashlib
import http.server
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from sidecar.store.assets import AssetFile


@dataclass(frozen=True)
class Answer:
    """What differs from what a good server would answer.

    ``stops_after``: bytes of the body; then it closes, or waits until the test ends if ``holds``.
    """

    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes | None = None
    stops_after: int | None = None
    holds: bool = False


class WebServer(http.server.ThreadingHTTPServer):
    """``script``: the next answers; after them come good ones. ``requests``: their headers."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.script: list[Answer] = []
        self.requests: list[Message] = []
        self.paths: list[str] = []
        self.n_sent = 0
        self.released = threading.Event()
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Of the file; any other path has it, too."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}/a.pt"

    def ranges(self) -> list[str | None]:
        """What was asked for in each request."""
        return [request["Range"] for request in self.requests]

    def use_tls(self, certificate: Path) -> None:
        """Before the first request."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early is no error."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        web = self.server
        web.requests.append(self.headers)
        web.paths.append(self.path)
        answer = web.script.pop(0) if web.script else Answer()
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted else 0
        n_bytes = len(web.content)
        status = answer.status or (206 if wanted and start < n_bytes else 416 if wanted else 200)
        body = web.content[start:] if status == 206 else web.content if status == 200 else b""
        body = body if answer.body is None else answer.body
        headers: dict[str, str | None] = {"Content-Length": str(len(body))}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{n_bytes - 1}/{n_bytes}"
        self.send_response(status)
        for name, value in (headers | dict(answer.headers)).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        body = body[: answer.stops_after]
        self.wfile.write(body)
        self.wfile.flush()
        web.n_sent += len(body)
        if answer.holds:
            web.released.wait(30)

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def serving(server: WebServer) -> Iterator[WebServer]:
    """Serve in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def pinned(content: bytes, *, is_size_exact: bool = True) -> AssetFile:
    """A file as the catalog pins it."""
    sha256 = hashlib.sha256(content).hexdigest()
    return AssetFile("a.pt", len(content), sha256, (), is_size_exact)


def make_certificate(openssl: str, folder: Path) -> Path:
    """One for 127.0.0.1 that nobody trusts yet, with its key in the same file."""
    both = folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", both, "-out", folder / "cert"]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(both.read_bytes() + (folder / "cert").read_bytes())
    return both
