"""The Python host's requests and answers, on a small child that says what a test needs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import msgpack
import pytest

from protocol.framing import encode_frame
from protocol.messages import Failure
from protocol.params import HealthParams, MetricsParams
from protocol.python import ChildGone, RemoteError, SpeakerSidecar, client, connection

PATIENCE_S = 60.0


def test_what_cannot_be_started_raises():
    with pytest.raises(FileNotFoundError):
        SpeakerSidecar.start(["/no/such/program"])


def test_a_frozen_app_does_not_start_itself(monkeypatch):
    started = []
    monkeypatch.setattr(client, "spawn", lambda argv, **_: started.append(argv))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(ValueError, match="name the sidecar's program in argv"):
        SpeakerSidecar.start()
    assert started == []


# Says hello, then answers each request with its id: a result, or an error for health.
ANSWERS = """
import struct, sys, msgpack
def say(message):
    payload = msgpack.packb({"jsonrpc": "2.0", **message})
    sys.stdout.buffer.write(struct.pack("<I", len(payload)) + payload)
    sys.stdout.buffer.flush()
say({"method": "hello", "params": {"protocol": int(sys.argv[1]), "argv": sys.argv[2:]}})
say({"id": 10**6, "result": {"for": "nobody"}})
say({"id": None, "error": {"code": -1, "message": "of nobody knows what"}})
while header := sys.stdin.buffer.read(4):
    message = msgpack.unpackb(sys.stdin.buffer.read(*struct.unpack("<I", header)))
    if message["method"] == "health":
        say({"id": message["id"], "error": {"code": -1, "message": "m", "data": {"kind": "k"}}})
    if message["method"] == "embed_batch":
        error = {"code": -1, "message": "m", "data": {"kind": "k", "retryable": True}, "new": 1}
        bare = {"code": -2, "message": "n"}
        say({"id": message["id"], "result": {"results": [{"error": error}, {"error": bare}]}})
    if message["method"] == "embed_segments":
        for progress in message["params"].get("progress") and [(1, None), (2, 3)] or []:
            params = {"id": message["id"], "done": progress[0], "total": progress[1]}
            say({"method": "progress", "params": {**params, "unit": "segments"}})
        say({"method": "progress", "params": {"id": 77, "done": 1, "total": 2, "unit": "audios"}})
        error = {"code": -1, "message": "m", "data": {"kind": str(message["params"])}}
        say({"id": message["id"], "result": {"results": [{"error": error}]}})
    if message["method"] == "cancel":
        withdrawn = {"code": -2, "message": "withdrawn", "data": {}}
        say({"id": message["params"]["id"], "error": withdrawn})
    if message["method"] == "shutdown":
        say({"id": message["id"], "result": {}})
"""


def start_answers(protocol=1, *arguments, **options):
    argv = [sys.executable, "-c", ANSWERS, str(protocol), *arguments]
    return SpeakerSidecar.start(argv, stderr=subprocess.DEVNULL, **options)


def test_an_error_keeps_the_wires_fields():
    with start_answers() as sidecar, pytest.raises(RemoteError, match=r"m \(-1, k\)") as caught:
        sidecar.call(HealthParams())
    error = caught.value
    assert error.failure == Failure(1, -1, "m", {"kind": "k"})
    assert (error.code, error.kind, error.retryable, error.message) == (-1, "k", False, "m")


def test_new_fields_of_an_items_error_are_ignored():
    with start_answers() as sidecar:
        full, bare = sidecar.embed_batch([b"one", b"two"])
    assert (full.code, full.kind, full.retryable, full.message) == (-1, "k", True, "m")
    assert (bare.code, bare.kind, bare.retryable, bare.message) == (-2, "unknown", False, "n")


def test_a_child_of_another_protocol_is_gone():
    with start_answers(protocol=2) as sidecar:
        with pytest.raises(ChildGone, match=r"did not start: .* protocol 2, not 1"):
            sidecar.wait_until_ready(PATIENCE_S)
        with pytest.raises(ChildGone, match=r"is gone: .* protocol 2, not 1"):
            sidecar.call(HealthParams())


def test_a_child_that_ends_at_once_is_told_by_its_exit_code():
    argv = [sys.executable, "-c", "raise SystemExit(64)"]
    with SpeakerSidecar.start(argv) as sidecar:
        reason = "it ended with exit code 64 (it refused its options)"
        with pytest.raises(ChildGone) as at_start:
            sidecar.wait_until_ready(PATIENCE_S)
        with pytest.raises(ChildGone) as later:
            sidecar.call(HealthParams())
    assert str(at_start.value) == f"the sidecar did not start: {reason}"
    assert str(later.value) == f"the child is gone: {reason}"
    assert at_start.value.reason == later.value.reason == reason


def test_a_child_that_failed_is_told_by_its_last_health():
    health = {"state": "failed", "reason": "no model"}
    message = {"jsonrpc": "2.0", "method": "health", "params": health}
    said = encode_frame(msgpack.packb(message)).hex()
    code = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1])); sys.exit(69)"
    with SpeakerSidecar.start([sys.executable, "-c", code, said]) as sidecar:
        with pytest.raises(ChildGone, match="did not start: no model"):
            sidecar.wait_until_ready(PATIENCE_S)
        with pytest.raises(ChildGone, match="is gone: no model"):
            sidecar.call(HealthParams())


@pytest.mark.wine("its conhost.exe keeps the child's pipes open")
def test_a_child_that_closes_its_output_and_lives_on(monkeypatch):
    monkeypatch.setattr(connection, "_EXIT_S", 0.01)
    code = "import os, sys; os.close(1); sys.stdin.read()"
    with (
        SpeakerSidecar.start([sys.executable, "-c", code]) as sidecar,
        pytest.raises(ChildGone, match="its output ended"),
    ):
        sidecar.call(HealthParams(), PATIENCE_S)


def test_no_answer_in_time():
    with start_answers() as sidecar, pytest.raises(TimeoutError, match=r"metrics within 0\.01 s"):
        sidecar.call(MetricsParams(), timeout_s=0.01)


def test_what_is_cancelled_is_answered():
    with start_answers() as sidecar:
        request_id, future = sidecar.send(MetricsParams())
        sidecar.cancel(request_id)
        with pytest.raises(RemoteError, match="withdrawn"):
            future.result(PATIENCE_S)


def test_one_that_loads_for_too_long():
    with start_answers() as sidecar, pytest.raises(TimeoutError, match="still loads: no hello"):
        sidecar.wait_until_ready(0.01)


def test_a_death_settles_what_waits():
    with start_answers() as sidecar:
        _, future = sidecar.send(MetricsParams())
        sidecar.process.kill()
        with pytest.raises(ChildGone, match="is gone: it ended with exit code"):
            future.result(PATIENCE_S)
        assert sidecar.close() != 0


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ([], {}, ["--parent-pid", "PID"]),
        (["--parent-pid=1"], {}, ["--parent-pid=1"]),
        (["--parent-pid", "1"], {}, ["--parent-pid", "1"]),
        ([], {"model": "x"}, ["--model", "x", "--parent-pid", "PID"]),
    ],
)
def test_the_child_learns_whom_to_outlive_not(given, options, expected):
    heard = threading.Event()
    with start_answers(1, *given, on_notice=lambda _: heard.set(), **options) as sidecar:
        assert heard.wait(PATIENCE_S)
        pid = str(os.getpid())
        assert sidecar.hello["argv"] == [pid if word == "PID" else word for word in expected]


def test_progress_comes_where_it_was_asked_for():
    told = []
    with start_answers() as sidecar:
        [one] = sidecar.embed_segments(
            b"file", [(0, 1)], on_progress=lambda *progress: told.append(progress)
        )
        [other] = sidecar.embed_segments(b"file", [(0.5, 1)])
    assert told == [(1, None), (2, 3)]
    assert "'progress': True" in one.kind
    assert "progress" not in other.kind, "an older child would refuse it"
    assert "'segments': [[0.5, 1.0]]" in other.kind


def test_a_fault_of_on_progress_is_logged_and_changes_nothing(caplog):
    with start_answers() as sidecar:
        [one] = sidecar.embed_segments(b"file", [(0, 1)], on_progress=lambda *_: 1 / 0)
    assert one.code == -1
    assert "on_progress failed" in caplog.text


def test_a_fault_of_on_notice_is_logged_and_changes_nothing(caplog):
    def fail(notice):
        raise ValueError(f"a bug of the app at {notice.method}")

    with start_answers(on_notice=fail) as sidecar:
        with pytest.raises(RemoteError):
            sidecar.call(HealthParams(), PATIENCE_S)
        assert sidecar.hello["protocol"] == 1
    assert "ValueError: a bug of the app at hello" in caplog.text


def test_what_is_longer_than_a_frame_is_refused_before_it_is_sent():
    with start_answers() as sidecar:
        refusal = r"takes 671\d+ bytes with its request, .* at most 67108864: pass a path"
        with pytest.raises(ValueError, match=refusal):
            sidecar.embed(bytes(64 * 2**20))
        with pytest.raises(RemoteError):
            sidecar.call(HealthParams(), PATIENCE_S)
