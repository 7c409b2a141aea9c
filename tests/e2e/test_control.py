"""While the device is busy, and its queue is full, everything that is no work is still answered.

How fast: ``measure_control.py``.
"""

from __future__ import annotations

import struct

import pytest
from raw_host import assert_each_answered_once, assert_error, assert_result, pcm

STORED = {"embedding": struct.pack("<4f", 1, 2, 3, 4), "fingerprint": "light.0"}


@pytest.fixture
def full(start_light):
    """A sidecar whose device never comes back from its first batch, and whose queue is full."""
    host = start_light(FAULT="hang:1")
    n_most = host.wait_for_hello()["limits"]["max_in_flight"]
    # The first alone: of two that come together, either may be decoded first, and be what hangs.
    host.ids = [host.request("embed", {"audio": pcm(0.05)})]
    host.wait_for_log("light: embedding")
    host.ids += [host.request("embed", {"audio": pcm(0.05)}) for _ in range(n_most - 1)]
    host.wait_until_queued(n_most - 1)
    host.n_before = len(host.answers)
    return host


def new_answers(host):
    return host.answers[host.n_before :]


def test_reports(full):
    health = assert_result(full.call("health"))
    assert (health["state"], health["activity"]["queued"]) == ("ready", len(full.ids) - 1)
    metrics = assert_result(full.call("metrics"))
    assert metrics["in_flight"] == len(full.ids)
    assert metrics["oldest_queued_ms"] > 0
    assert len(new_answers(full)) == 2


def test_what_needs_no_device(full):
    score = full.call("score", {"a": STORED, "b": STORED})
    assert assert_result(score)["cosine"] == pytest.approx(1)
    assert_error(full.call("embed", {"audio": pcm()}), -32001, "overloaded")
    assert_error(full.call("embed", {"audio": 3}), -32602)
    assert_error(full.call("transcribe"), -32601)
    assert len(new_answers(full)) == 4


def test_cancels_and_deadlines(full):
    full.cancel(full.ids[-1])
    assert_error(full.answer(full.ids[-1]), -32800, "cancelled")
    # It made room for one more.
    late = full.call("embed", {"audio": pcm(), "deadline_ms": 20})
    assert_error(late, -32004, "deadline_exceeded")
    for request_id in full.ids[1:-1]:
        full.cancel(request_id)
    for request_id in full.ids[1:-1]:
        assert_error(full.answer(request_id), -32800, "cancelled")
    assert {answer.id for answer in new_answers(full)} == {*full.ids[1:], late.id}


def test_shutdown(full):
    bye = full.request("shutdown", {"drain_ms": 100})
    assert full.wait() == 0
    assert full.messages[-1].id == bye
    assert full.messages[-1].result == {"finished": 0, "cancelled": len(full.ids)}
    del full.messages[: full.messages.index(full.answers[full.n_before])]
    assert_each_answered_once(full, [*full.ids, bye])
