from __future__ import annotations

import errno
import http.client
import shutil
import socket
import ssl
import threading
import urllib.error
import urllib.request

import pytest
from unit.https_fetch import FILE, GOOD, PART, StopAsked, get
from unit.web_server import Answer, WebServer, make_certificate, serving

from sidecar.store import https_exchange, https_file
from sidecar.store.assets import Interrupted, SourceFailed
from sidecar.store.https_file import HttpsFile

URL = "https://weights.invalid/a.pt"


@pytest.fixture(autouse=True)
def _direct_and_once(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(https_file, "POLL_S", 0.01)
    monkeypatch.setattr(https_file, "_PAUSES_S", ())


def stop(_n_bytes: int) -> None:
    raise StopAsked


@pytest.fixture
def server():
    with serving(WebServer(GOOD)) as server:
        yield server


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), False),
        (ssl.SSLCertVerificationError(1, "self-signed"), False),
        (OSError("Tunnel connection failed: 403 Forbidden"), False),
        (http.client.InvalidURL("nonnumeric port"), False),
        (ValueError("unknown url type"), False),
        (ConnectionResetError(104, "reset"), True),
        (TimeoutError("timed out"), True),
        (ssl.SSLError(1, "unexpected end"), True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
        (http.client.IncompleteRead(b"12"), True),
        (http.client.RemoteDisconnected("closed"), True),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(error, may_pass):
    error.verify_message = "self-signed"
    for one in (error, urllib.error.URLError(error)):
        told = https_exchange.failure(one, URL)
        assert isinstance(told, Interrupted) is may_pass
        assert told.kind == "download_failed"
        assert told.reason


@pytest.fixture
def silent_url():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/a.pt"


def test_a_silent_host_is_left_soon_and_a_stop_does_not_wait_for_it(silent_url, tmp_path):
    with pytest.raises(SourceFailed, match=r"no answer within 0\.05 s$"):
        HttpsFile(silent_url, answer_limit_s=0.05).fetch(FILE, tmp_path, lambda _: None)
    with pytest.raises(StopAsked):
        HttpsFile(silent_url).fetch(FILE, tmp_path, stop)
    left = [thread for thread in threading.enumerate() if thread.name == "https-exchange"]
    assert left
    assert all(thread.daemon and thread.abandoned.is_set() for thread in left)


def test_a_name_that_is_not_known_is_told_at_once(tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(SourceFailed, match=r"name cannot be resolved \(no such name\)$"):
        HttpsFile(URL).fetch(FILE, tmp_path, lambda _: None)


def test_a_proxy_is_named_without_its_password(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", f"http://user:secret@{address}")
    with pytest.raises(SourceFailed, match=f"through the proxy {address}: ") as caught:
        HttpsFile(URL).fetch(FILE, tmp_path, lambda _: None)
    assert "secret" not in caught.value.reason


@pytest.mark.parametrize(
    ("to", "token"),
    [
        ("https://hub.example/b", "Bearer secret"),
        ("https://HUB.example/b", "Bearer secret"),
        ("https://cdn.example/b", None),
        ("https://hub.example.evil/b", None),
        ("https://hub.example:8443/b", None),
    ],
)
def test_a_redirect_to_another_origin_takes_no_token_along(to, token):
    headers = {"Authorization": "Bearer secret", "Range": "bytes=2-"}
    request = urllib.request.Request("https://hub.example/a", headers=headers)
    redirects = https_exchange._HttpsRedirectsOnly()
    followed = redirects.redirect_request(request, None, 302, "Found", {}, to)
    assert followed.get_header("Authorization") == token
    assert followed.get_header("Range") == "bytes=2-"


def test_a_redirect_to_an_address_without_tls_is_not_followed(server, tmp_path):
    server.script = [Answer(302, {"Location": "/good?signature=secret"})]
    told = f"redirects to an address without TLS, http://127.0.0.1:{server.server_port}$"
    with pytest.raises(SourceFailed, match=told):
        get(server, tmp_path, token="secret")
    assert len(server.requests) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    return make_certificate(openssl, tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def two_with_tls(certificate):
    hub, elsewhere = WebServer(GOOD), WebServer(GOOD)
    for one in (hub, elsewhere):
        one.use_tls(certificate)
    with serving(hub), serving(elsewhere):
        yield hub, elsewhere


def test_over_tls_the_rest_comes_from_where_the_redirect_leads_and_the_token_does_not_go_there(
    two_with_tls, certificate, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    hub, elsewhere = two_with_tls
    (tmp_path / PART).write_bytes(GOOD[:2])
    hub.script = [Answer(302, {"Location": "/b"}), Answer(302, {"Location": elsewhere.url})]
    assert get(hub, tmp_path, token="secret").read_bytes() == GOOD
    assert [request["Authorization"] for request in hub.requests] == ["Bearer secret"] * 2
    assert [request["Authorization"] for request in elsewhere.requests] == [None]
    assert elsewhere.ranges() == ["bytes=2-"]


def test_a_certificate_that_is_not_trusted_is_told_at_once(two_with_tls, tmp_path):
    with pytest.raises(SourceFailed, match=r"its certificate is not trusted .*\)$"):
        get(two_with_tls[0], tmp_path)
