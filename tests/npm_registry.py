"""A registry of npm on this machine: what a folder's packages are, and what was asked of it."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import tarfile
import threading
from urllib.parse import unquote


class Registry:
    """Serves some .tgz files, and names that have none; use it as a context."""

    def __init__(self, tarballs, names_alone=()):
        self.asked = []
        self._tarballs = {path.name: path for path in tarballs}
        self._documents = {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                registry.answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        for path in tarballs:
            with tarfile.open(path) as tar:
                about = json.load(tar.extractfile("package/package.json"))
            digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
            self._publish(about, path.name, {"integrity": f"sha512-{digest}"})
        for about in names_alone:
            self._publish(about, f"{about['name']}.tgz", {})

    def _publish(self, about, file, dist):
        version = {**about, "dist": {"tarball": self.url + file, **dist}}
        self._documents[about["name"]] = {
            "name": about["name"],
            "dist-tags": {"latest": about["version"]},
            "versions": {about["version"]: version},
        }

    def answer(self, request):
        name = unquote(request.path).strip("/")
        self.asked.append(name)
        if name in self._documents:
            body = json.dumps(self._documents[name]).encode()
        elif name in self._tarballs:
            body = self._tarballs[name].read_bytes()
        else:
            request.send_error(404)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
