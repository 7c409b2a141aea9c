"""While the libraries are imported, which takes seconds on some machines, the child listens."""

from __future__ import annotations

import os
import subprocess

import pytest
from raw_host import ROOT, assert_each_answered_once, assert_error, frame, pcm, request

from protocol.framing import FrameDecoder
from protocol.messages import decode_from_child


@pytest.fixture
def importing(start_light, gate):
    """A child that imports until the test ends it: nobody opens the gate."""
    host = start_light(LIGHT_IMPORT_GATE=str(gate))
    host.wait_for_state("loading")
    return host


def test_health_is_answered(importing):
    assert importing.call("health").result["reason"] == "importing libraries"
    data = frame(request("halves", "health"))
    importing.send(data[:10])
    importing.send(data[10:])
    assert importing.answer("halves").result["state"] == "loading"


def test_a_deadline_is_kept(importing):
    embed = importing.request("embed", {"audio": pcm(), "deadline_ms": 50})
    assert_error(importing.answer(embed), -32004)


def test_a_shutdown_is_answered(importing):
    embed = importing.request("embed", {"audio": pcm()})
    shutdown = importing.request("shutdown", {"drain_ms": 0})
    assert importing.wait() == 0
    assert_each_answered_once(importing, [embed, shutdown])


def test_the_host_s_end_is_noticed_behind_what_it_sent(importing):
    importing.request("embed", {"audio": pcm()})
    importing.send(b"\1")
    assert importing.finish() == 0


def test_input_from_a_file(light_argv, gate, tmp_path):
    path = tmp_path / "frames"
    path.write_bytes(frame(request(1, "health")) + frame(request(2, "shutdown")))
    with path.open("rb") as frames:
        done = subprocess.run(
            light_argv,
            stdin=frames,
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, "LIGHT_IMPORT_GATE": str(gate)},
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    messages = [decode_from_child(payload) for payload in FrameDecoder().feed(done.stdout)]
    assert [message.id for message in messages if hasattr(message, "id")] == [1, 2]
