from __future__ import annotations

import email.utils
import itertools
import socket
import time
import types

import pytest
from unit.https_fetch import FILE, GOOD, PART, StopAsked, get, go_on
from unit.web_server import Answer, WebServer, pinned, serving

from sidecar.store import assets, https_file
from sidecar.store.assets import SourceFailed
from sidecar.store.https_exchange import CHUNK_BYTES
from sidecar.store.https_file import HttpsFile


class FakeClock:
    """Time that passes in pauses alone."""

    def __init__(self):
        self.now_s = 1000.0
        self.pauses_s = []

    def sleep(self, seconds):
        self.now_s += seconds
        self.pauses_s.append(seconds)

    @property
    def paused_s(self):
        return sum(self.pauses_s)


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    fake = types.SimpleNamespace(perf_counter=lambda: clock.now_s, sleep=clock.sleep)
    monkeypatch.setattr(https_file, "time", fake)
    return clock


@pytest.fixture(autouse=True)
def _direct_and_quick(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(https_file, "POLL_S", 0.01)


@pytest.fixture
def server():
    with serving(WebServer(GOOD)) as server:
        yield server


@pytest.mark.parametrize("length", [{}, {"Content-Length": None}])
def test_a_connection_that_breaks_is_made_again_for_the_rest(server, tmp_path, clock, length):
    server.script = [Answer(headers=length, stops_after=3)]
    assert get(server, tmp_path).read_bytes() == GOOD
    assert server.ranges() == [None, "bytes=3-"]
    assert 0.25 <= clock.paused_s <= 0.75


def test_a_stall_ends_the_connection_and_the_next_one_goes_on(server, tmp_path, clock):
    server.script = [Answer(stops_after=3, holds=True)]
    assert get(server, tmp_path, stall_limit_s=0.3).read_bytes() == GOOD
    assert server.ranges() == [None, "bytes=3-"]


def test_a_file_may_come_in_many_pieces_if_each_brings_something(tmp_path, clock):
    content = bytes(range(256)) * (CHUNK_BYTES // 256 * 9)
    with serving(WebServer(content)) as server:
        server.script = [Answer(stops_after=CHUNK_BYTES)] * 8
        path = get(server, tmp_path, file=pinned(content))
        assert path.read_bytes() == content
        assert len(server.requests) == 9
        assert clock.paused_s < 8 * 0.75


def test_a_source_that_brings_next_to_nothing_is_given_up(server, tmp_path, clock):
    server.script = [Answer(stops_after=0)] * 9
    with pytest.raises(SourceFailed, match=r"broke off after 0 of 5 bytes \(tried 5 times\)"):
        get(server, tmp_path)
    assert len(server.requests) == 5
    assert 7.5 * 0.5 <= clock.paused_s <= 7.5 * 1.5


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_asked_again(server, tmp_path, clock, status):
    (tmp_path / PART).write_bytes(GOOD[:2])
    server.script = [Answer(status), Answer(status)]
    assert get(server, tmp_path).read_bytes() == GOOD
    assert server.ranges() == ["bytes=2-"] * 3
    assert 1.5 * 0.5 <= clock.paused_s <= 1.5 * 1.5


@pytest.mark.parametrize("status", [401, 403, 404, 410, 501])
def test_a_status_that_will_not_pass_is_told_at_once(server, tmp_path, clock, status):
    server.script = [Answer(status)]
    with pytest.raises(SourceFailed, match=f"the server answered {status} ") as caught:
        get(server, tmp_path)
    assert caught.value.kind == "download_failed"
    assert len(server.requests) == 1
    assert clock.paused_s == 0


def in_seconds(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("told", "between_s"),
    [
        (lambda: "7", (7, 7)),
        (lambda: in_seconds(20), (15, 20)),
        (lambda: in_seconds(-9), (0, 1)),
        (lambda: "soon", (0, 1)),
    ],
    ids=["seconds", "a date", "a date that is past", "no date"],
)
def test_a_pause_that_is_asked_for_is_made(server, tmp_path, clock, told, between_s):
    server.script = [Answer(503, {"Retry-After": told()})]
    get(server, tmp_path)
    assert between_s[0] <= round(clock.paused_s, 6) <= between_s[1]
    assert max(clock.pauses_s) <= https_file.POLL_S  # a stop does not wait for it


def test_a_long_pause_is_not_waited_for(server, tmp_path, clock):
    server.script = [Answer(429, {"Retry-After": "300"})]
    with pytest.raises(SourceFailed, match=r"answered 429 .*; it asks for a pause of 300 s"):
        get(server, tmp_path)
    assert clock.paused_s == 0


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_tries_that_nobody_answers_share_the_time_of_one(tmp_path, clock, closed_port, monkeypatch):
    monkeypatch.setattr(assets, "time", https_file.time)
    source = HttpsFile(f"https://127.0.0.1:{closed_port}/a.pt", answer_limit_s=2.0)
    with pytest.raises(SourceFailed, match=r"refused \(tried [23] times\)"):
        source.fetch(FILE, tmp_path, go_on)
    assert 2.0 < clock.paused_s < 6.0


def test_a_host_that_answers_has_its_time_anew_with_each_try(server, tmp_path, clock, monkeypatch):
    monkeypatch.setattr(assets, "time", https_file.time)
    server.script = [Answer(503)] * 4
    assert get(server, tmp_path, answer_limit_s=2.0).read_bytes() == GOOD
    assert clock.paused_s > 2.0


def test_an_address_that_is_not_valid_tells_no_password(tmp_path, clock):
    source = HttpsFile("https://user:secret@127.0.0.1/a.pt")
    with pytest.raises(SourceFailed, match="the address is not valid") as caught:
        source.fetch(FILE, tmp_path, go_on)
    assert "secret" not in f"{source.name} {caught.value.reason}"


def test_a_host_that_refuses_is_asked_again(tmp_path, clock, closed_port):
    with pytest.raises(SourceFailed, match=r"refused.*\(tried 5 times\)"):
        HttpsFile(f"https://127.0.0.1:{closed_port}/a.pt").fetch(FILE, tmp_path, go_on)


def test_a_stop_ends_a_pause(server, tmp_path, clock):
    server.script = [Answer(503, {"Retry-After": "20"})]
    calls = itertools.count()

    def stop_in_the_pause(_n_bytes: int) -> None:
        if clock.pauses_s and next(calls) == 1:
            raise StopAsked

    with pytest.raises(StopAsked):
        get(server, tmp_path, watch=stop_in_the_pause)
    assert clock.paused_s < 0.1
