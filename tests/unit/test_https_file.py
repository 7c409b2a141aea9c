from __future__ import annotations

import errno

import pytest
from unit.https_fetch import GOOD, PART, StopAsked, get
from unit.web_server import Answer, WebServer, pinned, serving

from sidecar.store import assets, https_file
from sidecar.store.assets import SourceFailed


@pytest.fixture(autouse=True)
def _direct_and_quick(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(https_file, "POLL_S", 0.01)
    monkeypatch.setattr(https_file, "_PAUSES_S", (0.0,))


@pytest.fixture
def server():
    with serving(WebServer(GOOD)) as server:
        yield server


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
    file = pinned(GOOD, is_size_exact=False)
    assert get(server, tmp_path, file=file).read_bytes() == content
    server.content = b"1" * 11
    with pytest.raises(SourceFailed, match="it offers 11 bytes"):
        get(server, tmp_path, file=file)


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

    def open_if_allowed(self, mode="r", **how):
        if refusals and mode == "wb":
            raise refusals.pop()
        return opened(self, mode, **how)

    monkeypatch.setattr(type(tmp_path), "open", open_if_allowed)
    monkeypatch.setattr("sidecar.store.shared_folder._PAUSE_S", 0)
    assert get(server, tmp_path).read_bytes() == GOOD
    assert refusals == []


def test_a_folder_may_have_any_letters(server, tmp_path):
    folder = tmp_path / "モデル ü #%41"
    folder.mkdir()
    assert get(server, folder).read_bytes() == GOOD
