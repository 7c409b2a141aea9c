"""The gallery at the end of the process: what is told of a change is what has become of it."""

from __future__ import annotations

import os
import struct

import pytest
from locked_gallery import locked
from raw_host import assert_error, assert_result, time_to_end

EMBEDDING = {
    "embedding": struct.pack("<4f", 1, 2, 3, 4),
    "fingerprint": "light.0",
    "speech_s": 5.0,
}


@pytest.fixture
def gallery(tmp_path):
    return tmp_path / "people.db"


@pytest.fixture
def host(start_light, gallery):
    """A light sidecar whose gallery is open."""
    host = start_light("--gallery", os.fspath(gallery))
    host.wait_for_state("ready")
    assert_result(host.call("people"))
    return host


def enrol(host, name):
    return host.request("enroll", {"name": name, "embeddings": [EMBEDDING]})


def test_what_may_yet_be_kept_is_not_told_to_be_cancelled(host, gallery):
    with locked(gallery):
        asked = enrol(host, "Anna")
        host.wait_until_queued(0)
        waiting = enrol(host, "Ben")
        bye = host.request("shutdown", {"drain_ms": 50})
        assert host.wait() == 0
    # The end of the process is its answer: the host has to look.
    assert host.answers_to(asked) == []
    assert_error(host.answer(waiting), -32800, "cancelled")
    assert host.messages[-1].id == bye
    assert host.messages[-1].result == {"finished": 0, "cancelled": 1}


def test_what_was_kept_at_the_end_is_told(host):
    asked = [enrol(host, f"person {number}") for number in range(5)]
    bye = host.request("shutdown")
    assert host.wait() == 0
    assert host.messages[-1].id == bye
    for request_id in asked:
        assert assert_result(host.answer(request_id))["created"]


def test_a_locked_gallery_does_not_keep_the_process(host, gallery):
    with locked(gallery):
        enrol(host, "Anna")
        host.wait_until_queued(0)
        host.close_input()
        assert time_to_end(host.process) < 2
