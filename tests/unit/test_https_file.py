from __future__ import annotations

import email.utils
import errno
import hashlib
import itertools
import socket
import time
import types

import pytest
from unit.web_server import Answer, WebServer, serving

from sidecar.store import assets, https_file
from sidecar.store.assets import AssetFile, SourceFailed
from sidecar.store.https_exchange import CHUNK_BYTES
from sidecar.store.https_file import HttpsFile

GOOD = b"12345"


def pinned(content: bytes = GOOD, *, is_size_exact: bool = True) -> AssetFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return AssetFile("a.pt", len(content), sha256, (), is_size_exact)


FILE = pinned()
PART = f"a.pt.{FILE.sha256[:16]}.part"


class StopAsked(Exception):
    pass


def go_on(_n_bytes: int) -> None:
    pass


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


@pytest.fixture(autouse=True)
def _direct_and_quick(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(https_file, "POLL_S", 0.01)


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    fake = types.SimpleNamespace(monotonic=lambda: clock.now_s, sleep=clock.sleep)
    monkeypatch.setattr(https_file, "time", fake)
    return clock


@pytest.fixture
def server():
    with serving(WebServer(GOOD)) as server:
        yield server


def get(server, work, *, file=FILE, watch=go_on, **options):
    return HttpsFile(server.url, **options).fetch(file, work, watch)


def test_get(server, tmp_path):
    seen = []
    path = get(server, tmp_path, watch=seen.append)
    assert path.read_bytes() == GOOD
    assert path.parent == tmp_path
    assert seen[0] == 0
    assert [request["User-Agent"].partition("/")[0] for request in server.requests] == [
        "speaker-sidecar"
    ]
    assert server.requests[0]["Authorization"] is None
    assert server.ranges() == [None]


def test_what_an_earlier_process_left_is_gone_on_with(server, tmp_path):
    (tmp_path / PART).write_bytes(GOOD[:2])
    seen = []
    assert get(server, tmp_path, watch=seen.append).read_bytes() == GOOD
    assert server.ranges() == ["bytes=2-"]
    assert server.n_sent == 3
    assert seen[0] == 2


def test_what_is_whole_already_is_not_asked_for(server, tmp_path):
    (tmp_path / PART).write_bytes(GOOD)
    assert get(server, tmp_path).read_bytes() == GOOD
    assert server.requests == []


@pytest.mark.parametrize(
    ("left", "ranges"),
    [(b"ab", ["bytes=2-", None]), (b"abcde", [None]), (b"123456", [None]), (b"x" * 99, [None])],
)
def test_what_is_damaged_is_fetched_from_its_beginning(server, tmp_path, left, ranges):
    (tmp_path / PART).write_bytes(left)
    assert get(server, tmp_path).read_bytes() == GOOD
    assert server.ranges() == ranges


def test_a_source_whose_file_is_another_is_asked_for_it_once_from_its_beginning(server, tmp_path):
    server.content = b"54321"
    (tmp_path / PART).write_bytes(GOOD[:2])
    assert get(server, tmp_path).read_bytes() == b"54321"  # the store looks at the hash
    assert server.ranges() == ["bytes=2-", None]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(416),
        Answer(206, {"Content-Range": "bytes 1-4/5"}),
        Answer(206, {"Content-Range": "bytes 3-4/5"}),
        Answer(206, {"Content-Range": "bytes 2-"}),
        Answer(206, {"Content-Range": None}),
        Answer(204),
    ],
)
@pytest.mark.usefixtures("clock")
def test_an_answer_that_does_not_go_on_where_asked_is_not_taken(server, tmp_path, answer):
    (tmp_path / PART).write_bytes(GOOD[:2])
    server.script = [answer]
    assert get(server, tmp_path).read_bytes() == GOOD
    assert server.ranges() == ["bytes=2-", None]


def test_a_server_that_knows_no_ranges_sends_the_whole_file(server, tmp_path):
    (tmp_path / PART).write_bytes(b"ab")
    server.script = [Answer(200)]
    assert get(server, tmp_path).read_bytes() == GOOD
    assert server.ranges() == ["bytes=2-"]


@pytest.mark.parametrize("body", [b"123", b"1" * 99])
def test_an_answer_of_another_length_leaves_what_is_there(server, tmp_path, body):
    (tmp_path / PART).write_bytes(GOOD[:2])
    server.script = [Answer(200, body=body)]
    with pytest.raises(SourceFailed, match=f"it offers {len(body)} bytes instead of 5"):
        get(server, tmp_path)
    server.script = [Answer(206, {"Content-Range": "bytes 2-98/99"})]
    with pytest.raises(SourceFailed, match="it offers 99 bytes instead of 5"):
        get(server, tmp_path)
    assert (tmp_path / PART).read_bytes() == GOOD[:2]


def test_where_no_length_is_told_one_byte_too_many_is_enough(server, tmp_path):
    server.script = [Answer(body=b"1" * 99, headers={"Content-Length": None})]
    assert get(server, tmp_path).stat().st_size == 6


@pytest.mark.parametrize("content", [b"1234", b"12345678"])
def test_a_length_that_is_only_about_right_may_differ(server, tmp_path, content):
    server.content = content
    file = pinned(is_size_exact=False)
    assert get(server, tmp_path, file=file).read_bytes() == content
    server.content = b"1" * 11
    with pytest.raises(SourceFailed, match="it offers 11 bytes"):
        get(server, tmp_path, file=file)


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
    [("7", (7, 7)), (in_seconds(20), (15, 20)), (in_seconds(-9), (0, 1)), ("soon", (0, 1))],
)
def test_a_pause_that_is_asked_for_is_made(server, tmp_path, clock, told, between_s):
    server.script = [Answer(503, {"Retry-After": told})]
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
    with pytest.raises(SourceFailed, match="no answer within 2 s"):
        source.fetch(FILE, tmp_path, go_on)
    assert 2.0 < clock.paused_s < 6.0


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


def test_a_stop_leaves_what_has_come(server, tmp_path):
    server.script = [Answer(stops_after=3, holds=True)]

    def stop_at_three(n_bytes: int) -> None:
        if n_bytes == 3:
            raise StopAsked

    with pytest.raises(StopAsked):
        get(server, tmp_path, watch=stop_at_three)
    assert (tmp_path / PART).read_bytes() == GOOD[:3]


def test_room_is_needed_for_what_is_missing_alone(server, tmp_path, monkeypatch):
    usage = assets.shutil.disk_usage(tmp_path)._replace(free=4)
    monkeypatch.setattr(assets.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(SourceFailed, match="of free disk") as caught:
        get(server, tmp_path)
    assert caught.value.kind == "disk_full"
    assert server.requests == []
    (tmp_path / PART).write_bytes(GOOD[:1])
    assert get(server, tmp_path).read_bytes() == GOOD


def test_a_part_that_a_scanner_holds_is_opened_a_moment_later(server, tmp_path, monkeypatch):
    refusals = [PermissionError(errno.EACCES, "Access is denied")] * 2
    opened = type(tmp_path).open

    def open_if_allowed(self, mode="r"):
        if refusals and mode == "wb":
            raise refusals.pop()
        return opened(self, mode)

    monkeypatch.setattr(type(tmp_path), "open", open_if_allowed)
    monkeypatch.setattr("sidecar.store.shared_folder._PAUSE_S", 0)
    assert get(server, tmp_path).read_bytes() == GOOD
    assert refusals == []


def test_a_folder_may_have_any_letters(server, tmp_path):
    folder = tmp_path / "モデル ü #%41"
    folder.mkdir()
    assert get(server, folder).read_bytes() == GOOD
