from __future__ import annotations

import hashlib
import logging

import pytest
from unit.web_server import Answer, WebServer, serving

from sidecar.store import https_file
from sidecar.store.assets import AssetFile, SourceFailed
from sidecar.store.hub_file import HubFile

GOOD = b"12345"
SOURCE = HubFile("owner/repo", "0123abc", "weights.ckpt")
FILE = AssetFile("weights.ckpt", 5, hashlib.sha256(GOOD).hexdigest(), (SOURCE,))


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A user of whom the hub's client knows nothing."""
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CACHE_HOME", "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(https_file, "POLL_S", 0.01)
    return home


@pytest.fixture
def mirror(monkeypatch):
    with serving(WebServer(GOOD)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/mirror/")
        yield server


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    return work


def sent_token(mirror, work):
    SOURCE.fetch(FILE, work, lambda _: None).unlink()
    return mirror.requests[-1]["Authorization"]


def test_a_file_is_fetched_at_its_revision(mirror, work):
    assert SOURCE.fetch(FILE, work, lambda _: None).read_bytes() == GOOD
    assert mirror.paths == ["/mirror/owner/repo/resolve/0123abc/weights.ckpt"]
    assert mirror.requests[0]["Authorization"] is None


def test_the_endpoint_of_the_environment_is_the_name(monkeypatch):
    assert SOURCE.name == "huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://user:secret@mirror.example/hub")
    assert SOURCE.name == "mirror.example"


@pytest.mark.parametrize("endpoint", ["mirror.example", "file:///etc", "ftp://mirror.example"])
def test_an_endpoint_that_is_no_web_address_is_told(monkeypatch, work, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(SourceFailed, match="HF_ENDPOINT does not begin with https://"):
        SOURCE.fetch(FILE, work, lambda _: None)


def write(path, token):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(token, "utf-8")


def test_the_users_token_is_sent_from_where_the_hubs_client_looks_for_it(
    mirror, work, home, tmp_path, monkeypatch
):
    write(home / ".cache" / "huggingface" / "token", "hf_login\n")
    assert sent_token(mirror, work) == "Bearer hf_login"
    write(tmp_path / "cache" / "huggingface" / "token", "hf_xdg")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert sent_token(mirror, work) == "Bearer hf_xdg"
    write(home / "hub" / "token", "hf_home")
    monkeypatch.setenv("HF_HOME", "~/hub")
    assert sent_token(mirror, work) == "Bearer hf_home"
    write(tmp_path / "key", "hf_path")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "key"))
    assert sent_token(mirror, work) == "Bearer hf_path"
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_older")
    assert sent_token(mirror, work) == "Bearer hf_older"
    monkeypatch.setenv("HF_TOKEN", " hf_variable ")
    assert sent_token(mirror, work) == "Bearer hf_variable"
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "true")
    assert sent_token(mirror, work) is None


@pytest.mark.parametrize("token", ["", "  ", "two words", "zwei\nzeilen", "schlüssel"])
def test_what_is_no_token_is_not_sent(mirror, work, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    assert sent_token(mirror, work) is None


def test_a_token_file_of_no_encoding_is_no_token(mirror, work, tmp_path, monkeypatch):
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "key"))
    assert sent_token(mirror, work) is None


def test_a_token_is_never_told(mirror, work, monkeypatch, caplog):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(https_file, "_PAUSES_S", (0.0,))
    mirror.script = [Answer(503), Answer(401)]
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceFailed, match="401") as caught:
        SOURCE.fetch(FILE, work, lambda _: None)
    assert mirror.requests[1]["Authorization"] == "Bearer hf_secret"
    assert "503" in caplog.text
    assert "secret" not in caplog.text + caught.value.reason + repr(SOURCE._at_url())
