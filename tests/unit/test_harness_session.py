"""Sessions with a child that is played: what it says to each message is the test's."""

from __future__ import annotations

import json

import pytest
from unit.played_child import PlayedChild, Witness, error, obey, result

from sidecar.tools.harness.command import EXAMPLES
from sidecar.tools.harness.entries import read_entries
from sidecar.tools.harness.session import Session, StartFailed

HELLO = {"jsonrpc": "2.0", "method": "hello", "params": {"protocol": 1}}
READY = {"jsonrpc": "2.0", "method": "health", "params": {"state": "ready", "reason": "r"}}
EMBED = {"method": "embed"}
FATAL = (-32700, "frame_length")


@pytest.fixture
def play(tmp_path):
    def play_entries(entries, answer=obey, first=(HELLO, READY), jobs=1, timeout_s=20.0):
        path = tmp_path / "file.json"
        path.write_text(json.dumps(entries), "utf-8")
        witness = Witness()
        session = Session(read_entries(path), jobs=jobs, timeout_s=timeout_s, report=witness)
        session.witness = witness
        session.child = PlayedChild(answer, first, session.take)
        session.play(session.child)
        return session

    return play_entries


def differences(session):
    return [entry.differences for entry in session.entries]


def test_requests_get_ids_that_the_file_did_not_choose(play):
    session = play([EMBED, {**EMBED, "id": 1}, EMBED, {**EMBED, "id": "x"}])
    assert [m["id"] for m in session.child.received] == ["#1", 1, "#3", "x"]
    assert differences(session) == [[], [], [], []]
    assert session.faults == []
    assert session.exit_code == 0


def test_an_error_fails_an_entry_that_expects_nothing_of_the_kind(play):
    session = play([EMBED], lambda m: [error(m["id"], -32010, "empty")])
    assert differences(session) == [["the error -32010 (empty) came: m"]]


def test_an_expected_error_may_name_what_its_data_has(play):
    expected = {"error": {"code": -32010, "kind": "empty", "index": 3}}
    session = play(
        [{**EMBED, "expect": expected}], lambda m: [error(m["id"], -32010, "empty", index=3)]
    )
    assert differences(session) == [[]]
    session = play([{**EMBED, "expect": expected}])
    assert differences(session) == [["a result came, not an error"]]


def test_any_answer_will_do_where_the_entry_says_so(play):
    entries = [{**EMBED, "expect": "answer"}]
    assert differences(play(entries)) == [[]]
    assert differences(play(entries, lambda m: [error(m["id"])])) == [[]]


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (3, 3)])
def test_so_many_wait_for_their_answers_at_a_time(play, jobs, most):
    waiting, seen = [], []

    def answer_when_full(message):
        waiting.append(message)
        seen.append(len(waiting))
        if len(waiting) < most:
            return []
        answers = [result(m) for m in reversed(waiting)]
        waiting.clear()
        return answers

    session = play([EMBED] * 6, answer_when_full, jobs=jobs)
    assert differences(session) == [[]] * 6
    assert max(seen) == most


def test_idle_waits_for_all_answers(play):
    session = play([EMBED, EMBED, {**EMBED, "when": "idle"}], jobs=8)
    lines = session.witness.lines
    assert lines.index(("sent", 3)) > max(lines.index(("received", n)) for n in (1, 2))


def test_now_is_sent_before_the_child_serves(play):
    first = [HELLO]

    def serve(message):
        return [result(message), READY]

    session = play([{"method": "health", "when": "now"}, EMBED], serve, first)
    assert differences(session) == [[], []]


def test_an_answer_without_an_id_goes_to_what_has_none(play):
    entries = [
        {"payload": {"id": 7}, "expect": "answer"},
        {**EMBED, "id": -1, "expect": {"error": {"kind": "bad_id"}, "id": None}},
        {"frame": {"$hex": "01"}, "expect": {"error": {"kind": "invalid_request"}}},
    ]

    def refuse(message):
        if not isinstance(message, dict):
            return [error(None)]
        return [error(None, kind="bad_id"), result({"id": 7})] if message["id"] == -1 else []

    session = play(entries, refuse, jobs=3)
    assert differences(session) == [[], [], []]
    assert session.faults == []


def test_a_duplicates_refusal_goes_to_the_second_of_the_two(play):
    entries = [
        {**EMBED, "id": 7},
        {**EMBED, "id": 7, "expect": {"error": {"kind": "duplicate_id"}, "id": None}},
    ]
    seen = []

    def refuse_second(message):
        seen.append(message)
        if len(seen) == 1:
            return []
        return [error(None, kind="duplicate_id", request_id=7), result(message)]

    assert differences(play(entries, refuse_second, jobs=2)) == [[], []]


def test_a_second_answer_is_a_fault(play):
    session = play([EMBED], lambda m: [result(m), result(m)])
    assert session.faults == ["an answer came for which no entry waits: its id is '#1'"]


def test_an_answer_that_must_not_come_is_a_fault(play):
    session = play([{**EMBED, "expect": "nothing"}])
    assert session.faults == ["an answer came for which no entry waits: its id is '#1'"]


def test_an_embedding_of_an_earlier_result_is_sent(play):
    embedded = {"embedding": b"aaaa", "fingerprint": "f"}
    results = {
        "embed": embedded,
        "embed_batch": {"results": [{"error": {}}, {"result": {**embedded, "embedding": b"bbbb"}}]},
        "embed_windows": {"embeddings": b"ccccdddd", "dim": 1, "fingerprint": "f"},
        "score": {},
    }
    entries = [
        {"name": "e", "method": "embed"},
        {"name": "b", "method": "embed_batch"},
        {"name": "w", "method": "embed_windows"},
        {"name": "x", "method": "score"},
        {
            "method": "score",
            "params": {"a": {"from": "e"}, "b": {"from": "b", "item": 1}},
        },
        {"method": "score", "params": {"a": {"from": "w", "item": 1}, "b": {"from": "e"}}},
        {"method": "score", "params": {"a": {"from": "w", "item": 2}, "b": {"from": "e"}}},
        {"method": "score", "params": {"a": {"from": "e"}, "b": {"from": "b", "item": 0}}},
        {"method": "score", "params": {"a": {"from": "b"}}},
        {"method": "score", "params": {"a": {"from": "e", "item": 0}}},
        {"method": "score", "params": {"a": {"from": "x"}}},
    ]
    session = play(entries, lambda m: [result(m, **results[m["method"]])], jobs=8)
    voices = [m["params"] for m in session.child.received[4:]]
    assert [(v["a"]["embedding"], v["b"]["embedding"]) for v in voices] == [
        (b"aaaa", b"bbbb"),
        (b"dddd", b"aaaa"),
    ]
    assert differences(session)[6:] == [
        ["not sent: #3 w has no embedding at item 2"],
        ["not sent: #2 b has no embedding at item 0"],
        ["not sent: #2 b has no embedding"],
        ["not sent: #1 e has no embedding at item 0"],
        ["not sent: #4 x has no embedding"],
    ]


def test_a_field_of_an_earlier_result_is_sent(play):
    entries = [
        {"name": "ada", "method": "enroll", "params": {"name": "Ada"}},
        {"method": "person", "params": {"id": {"$result": "ada", "field": "id"}}},
        {"method": "import_people", "params": {"data": {"$result": "ada", "field": "more.0"}}},
        {"method": "person", "params": {"id": {"$result": "ada", "field": "more.1"}}},
    ]
    session = play(entries, lambda m: [result(m, id="p-1", more=[b"data"])], jobs=8)
    assert [message["params"] for message in session.child.received[1:]] == [
        {"id": "p-1"},
        {"data": b"data"},
    ]
    assert differences(session) == [[], [], [], ["not sent: #1 ada has no field more.1"]]


def test_an_example_can_be_read():
    for path in EXAMPLES.glob("*.json*"):
        assert read_entries(path)


def test_cancel_names_the_id_of_its_entry(play):
    def cancelled(message):
        if message["method"] == "cancel":
            return [error(message["params"]["id"], -32800, "cancelled")]
        return []

    session = play(
        [{**EMBED, "name": "a", "expect": {"error": {"kind": "cancelled"}}}, {"cancel": "a"}],
        cancelled,
    )
    assert differences(session) == [[], []]


def test_a_notification_may_have_come_before(play):
    hello = {"method": "hello", "params": {"protocol": 1}}
    assert differences(play([{"wait_for": "ready"}, {"wait_for": hello}])) == [[], []]


def test_a_notification_that_does_not_come_before_the_end(play):
    session = play([{"wait_for": "degraded"}], first=(HELLO, READY, 0))
    assert differences(session) == [
        ["what #1 wait_for waits for did not come: the child ended with the exit code 0"]
    ]


def test_the_child_that_ends_answers_all(play):
    session = play([EMBED, EMBED], lambda _: [3])
    assert differences(session) == [
        ["no answer: the child ended with the exit code 3"],
        ["not sent: the child's input has ended"],
    ]
    assert session.faults == ["the child ended with the exit code 3, expected 0"]


def test_an_expected_exit_code(play):
    entry = {"raw": {"$text": "GET"}, "expect": {"error": {"kind": FATAL[1]}, "exit": 76}}
    session = play([entry], lambda _: [error(None, *FATAL), 76])
    assert (differences(session), session.faults) == ([[]], [])
    session = play([entry], lambda _: [error(None, *FATAL), 70])
    assert differences(session) == [["exit is 70, expected 76"]]


def test_an_empty_frame_is_not_sent(play):
    session = play([{"frame": {"$hex": ""}}])
    assert session.child.received == []
    assert differences(session)[0][0].startswith("not sent: ")


def test_nothing_is_sent_behind_the_inputs_end(play):
    session = play([{"close": True, "expect": {"exit": 0}}, EMBED])
    assert session.child.received == []
    [closed, sent] = differences(session)
    assert closed == []
    assert sent[0].startswith("not sent: ")


def test_what_takes_too_long_is_given_up(play):
    session = play(
        [EMBED, EMBED, {"close": True, "expect": {"exit": 0}}], lambda _: [], timeout_s=0.05
    )
    message = "an answer did not come within 0.05 s"
    assert session.faults == [message]
    assert differences(session) == [
        [f"no answer: {message}"],
        [f"not played: {message}"],
        [f"not played: {message}", "exit is null, expected 0"],
    ]


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ([HELLO, 69], "the child ended with the exit code 69"),
        (
            [HELLO, {**READY, "params": {"state": "failed", "reason": "no model"}}, 69],
            "exit code 69: no model",
        ),
        ([{**HELLO, "params": {"protocol": 2}}, READY], "no hello of protocol 1"),
        ([READY], "no hello of protocol 1"),
        ([HELLO], "did not serve within 0.05 s"),
    ],
)
def test_a_child_that_does_not_start(play, first, message):
    with pytest.raises(StartFailed, match=message):
        play([EMBED], first=first, timeout_s=0.05)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"\xc1", "the child sent what is not of this protocol: the payload is not valid msgpack"),
        ({"jsonrpc": "2.0"}, "the child sent what is not of this protocol: neither a result"),
    ],
)
def test_what_is_not_of_the_protocol_is_a_fault(play, said, fault):
    session = play([EMBED], first=(HELLO, READY, said))
    assert differences(session) == [[]]
    assert session.faults[0].startswith(fault)
