from __future__ import annotations

import errno
import sys
import threading
import types
from pathlib import Path

import pytest

from sidecar.store import hub_file
from sidecar.store.assets import AssetFile, SourceFailed
from sidecar.store.hub_file import HubFile

SOURCE = HubFile("owner/repo", "0123abc", "weights.ckpt", answer_limit_s=0.5)
FILE = AssetFile("weights.ckpt", 5, "0" * 64, (SOURCE,))


class Hub:
    """A hub client that does what the test says."""

    def __init__(self):
        self.asked = []
        self.metadata = lambda: None
        self.download = lambda path: path.write_bytes(b"12345")

    def hf_hub_url(self, repo, path, *, revision):
        return f"https://hub/{repo}/{revision}/{path}"

    def get_hf_file_metadata(self, url, *, timeout):
        self.asked.append((url, timeout))
        self.metadata()

    def hf_hub_download(self, repo, path, *, revision, local_dir):
        self.asked.append((repo, path, revision))
        self.download(Path(local_dir) / path)


@pytest.fixture
def hub(monkeypatch):
    client = Hub()
    methods = ("hf_hub_url", "get_hf_file_metadata", "hf_hub_download")
    module = types.SimpleNamespace(**{name: getattr(client, name) for name in methods})
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setattr(hub_file, "POLL_S", 0.01)
    return client


def fail(error):
    raise error


def test_a_file_is_fetched_at_its_revision(hub, tmp_path):
    seen = []
    fetched = SOURCE.fetch(FILE, tmp_path, seen.append)
    assert fetched.read_bytes() == b"12345"
    assert fetched.is_relative_to(tmp_path)
    assert hub.asked == [
        ("https://hub/owner/repo/0123abc/weights.ckpt", 0.5),
        ("owner/repo", "weights.ckpt", "0123abc"),
    ]


def test_a_hub_that_is_not_reached_is_told_at_once(hub, tmp_path):
    hub.metadata = lambda: fail(ConnectionError("Connection refused\nand more"))
    with pytest.raises(SourceFailed) as caught:
        SOURCE.fetch(FILE, tmp_path, lambda _: None)
    assert caught.value.reason == "Connection refused"
    assert len(hub.asked) == 1


def test_a_hub_that_does_not_answer_is_given_up(hub, tmp_path):
    release = threading.Event()
    hub.metadata = lambda: release.wait(30)
    with pytest.raises(SourceFailed, match=r"no answer within 0.5 s"):
        SOURCE.fetch(FILE, tmp_path, lambda _: None)
    release.set()


def test_a_full_disk_is_told_as_such(hub, tmp_path):
    hub.download = lambda path: fail(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(SourceFailed) as caught:
        SOURCE.fetch(FILE, tmp_path, lambda _: None)
    assert caught.value.kind == "disk_full"


def test_a_stop_does_not_wait_for_the_hub(hub, tmp_path):
    release = threading.Event()
    hub.download = lambda path: release.wait(30)
    with pytest.raises(KeyboardInterrupt):
        SOURCE.fetch(FILE, tmp_path, lambda _: fail(KeyboardInterrupt()))
    release.set()


def test_the_endpoint_of_the_environment_is_the_name(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert SOURCE.name == "huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert SOURCE.name == "mirror.example"


def test_the_real_client_has_what_is_called():
    client = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    assert client.hf_hub_url("a/b", "c", revision="d").endswith("/a/b/resolve/d/c")
    assert callable(client.get_hf_file_metadata)
    assert callable(client.hf_hub_download)
