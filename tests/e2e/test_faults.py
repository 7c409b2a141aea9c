"""What goes wrong on the way: what the host then sees, and that every request is answered once.

``FAULT_PAUSE_S``: how long a host does not read. The death of a host: ``test_parent_death.py``.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
from faults import MARKED_RATE_HZ
from raw_host import (
    PATIENCE_S,
    ROOT,
    assert_each_answered_once,
    assert_error,
    assert_result,
    frame,
    pcm,
    request,
    time_to_end,
)

from protocol.messages import Result

PAUSE_S = float(os.environ.get("FAULT_PAUSE_S", "2"))


def embed(host, duration_s=0.1):
    return host.request("embed", {"audio": pcm(duration_s)})


def embed_marked(host):
    """Ask for an embedding of an audio that a faulty decoder stumbles over."""
    return host.request("embed", {"audio": {**pcm(), "sample_rate_hz": MARKED_RATE_HZ}})


@dataclass(frozen=True)
class Fatal:
    """What is answered once the second batch meets the fault; each of these ends with code 70."""

    fault: str
    code: int
    kind: str
    retryable: bool
    reason: str
    logged: str = "ending with code 70"


FATAL = [
    Fatal("device:2", -32020, "device_error", True, "the device failed"),
    Fatal("crash:2", -32603, "internal", False, "ZeroDivisionError", "Traceback"),
    Fatal("exit:2", -32603, "internal", False, "SystemExit", "Traceback"),
    Fatal("hang:2", -32020, "device_hangs", True, "did not return within"),
]


@pytest.fixture
def start_queued(start_light, gate):
    """Starts a light sidecar with one batch on the device, which the gate holds, and more behind.

    ``start_queued(**environment)``: the host, and the ids in the order in which they are served.
    """

    def start(durations_s=(0.1, 0.1, 0.1), **environment):
        host = start_light(LIGHT_EMBED_GATE=str(gate), **environment)
        first = embed(host)
        host.wait_for_log("light: embedding")
        ids = [first, *(embed(host, duration_s) for duration_s in durations_s)]
        host.wait_until_queued(len(durations_s))
        host.messages[:] = [m for m in host.messages if m not in host.answers]
        return host, ids

    return start


@pytest.mark.parametrize("fatal", FATAL, ids=lambda fatal: fatal.fault)
def test_the_device_worker_meets(start_queued, gate, fatal):
    timeout_s = "0.5" if fatal.kind == "device_hangs" else "60"
    host, ids = start_queued(FAULT=fatal.fault, DEVICE_TIMEOUT_S=timeout_s)
    gate.touch()
    assert host.wait() == 70
    assert_each_answered_once(host, ids)
    assert_result(host.answer(ids[0]), "embedding")
    for request_id in ids[1:]:
        assert_error(host.answer(request_id), fatal.code, fatal.kind, retryable=fatal.retryable)
    assert host.states == ["loading", "ready", "failed"]
    last = host.notices("health")[-1]
    assert fatal.reason in last["reason"]
    error = {"code": fatal.code, "kind": fatal.kind, "retryable": fatal.retryable}
    assert last["error"] == error
    assert fatal.logged in host.errors.decode()


def test_a_device_fault_during_a_drain(start_queued, gate):
    host, ids = start_queued(FAULT="device:2")
    bye = host.request("shutdown", {"drain_ms": 60_000})
    host.wait_for_state("draining")
    gate.touch()
    assert host.wait() == 70
    assert_each_answered_once(host, [*ids, bye])
    assert_result(host.answer(ids[0]), "embedding")
    assert_error(host.answer(ids[-1]), -32020, "device_error")
    assert host.messages[-1].id == bye
    assert host.states[-1] == "failed"


def test_a_response_that_cannot_be_made_costs_one_request(start_light):
    host = start_light(FAULT="response:2")
    ids = [host.call("embed", {"audio": pcm()}).id for _ in range(3)]
    assert_error(host.answer(ids[1]), -32603, "internal", retryable=False)
    for request_id in (ids[0], ids[2]):
        assert_result(host.answer(request_id), "embedding")
    assert host.finish() == 0
    assert_each_answered_once(host, ids)
    assert b"ZeroDivisionError" in host.errors
    assert "failed" not in host.states


class TestDecoder:
    def test_one_that_exits_ends_the_process(self, start_queued):
        host, ids = start_queued(FAULT="decoder_exits")
        ids.append(embed_marked(host))
        assert host.wait() == 70  # the gate never opens
        assert_each_answered_once(host, ids)
        for answer in host.answers:
            assert_error(answer, -32603, "internal")
        assert host.states[-1] == "failed"
        assert "decoder" in host.notices("health")[-1]["reason"]
        assert b"Traceback" in host.errors

    def test_those_that_hang_are_replaced(self, start_light):
        """More than there are decoders, so that nothing is served before they are replaced."""
        host = start_light(FAULT="decoder_hangs", DECODE_TIMEOUT_S="0.5")
        hung = [embed_marked(host) for _ in range(3)]
        served = [embed(host) for _ in range(5)]
        for request_id in served:
            assert_result(host.answer(request_id), "embedding")
        for request_id in hung:
            error = host.answer(request_id)
            assert_error(error, -32010, "decode_timeout", retryable=False)
            assert "file" not in error.message, "it was sent as samples"
        # The log has a thread of its own, and may come after the answers.
        host.wait_until(
            lambda: host.errors.count(b"replacing it") == len(hung), "the log lacks one"
        )
        host.close_input()
        assert time_to_end(host.process) < 2
        assert host.wait() == 0
        assert_each_answered_once(host, [*hung, *served])

    def test_too_many_that_hang_end_the_process(self, start_light):
        host = start_light(FAULT="decoder_hangs", DECODE_TIMEOUT_S="0.1")
        ids = [embed_marked(host) for _ in range(20)]
        assert host.wait() == 70
        assert_each_answered_once(host, ids)
        kinds = Counter(answer.data["kind"] for answer in host.answers)
        # One that hangs beside the last straw is given up with it.
        assert kinds["decode_timeout"] in {9, 10}
        assert kinds["internal"] == 20 - kinds["decode_timeout"]
        assert host.states[-1] == "failed"
        assert "too many decoders hang" in host.notices("health")[-1]["reason"]

    def test_one_that_hangs_holds_up_no_end(self, start_light):
        host = start_light(FAULT="decoder_hangs")
        host.wait_for_state("ready")
        hung = embed_marked(host)
        bye = host.request("shutdown", {"drain_ms": 50})
        assert time_to_end(host.process) < 2
        assert host.wait() == 0
        assert_each_answered_once(host, [hung, bye])
        assert_error(host.answer(hung), -32800, "cancelled")
        assert host.messages[-1].result == {"finished": 0, "cancelled": 1}

    def test_a_deadline_holds_while_one_hangs(self, start_light):
        host = start_light(FAULT="decoder_hangs")
        audio = {**pcm(), "sample_rate_hz": MARKED_RATE_HZ}
        late = host.call("embed", {"audio": audio, "deadline_ms": 50})
        assert_error(late, -32004, "deadline_exceeded")
        assert host.finish() == 0


class TestMemory:
    # At 16 kHz two of 0.1 s fit together, and one of 0.2 s alone.
    FAULT = "memory:3300"

    def test_only_what_does_not_fit_alone_is_refused(self, start_queued, gate):
        durations_s = [0.1, 0.15, 0.25, 0.1, 0.2, 0.12, 0.3, 0.1]
        host, ids = start_queued(durations_s, FAULT=self.FAULT, LIGHT_BATCH="8")
        gate.touch()
        for request_id, duration_s in zip(ids, [0.1, *durations_s], strict=True):
            if duration_s > 0.2:
                error = host.answer(request_id)
                assert_error(error, -32021, "out_of_memory", retryable=False)
                continue
            result = assert_result(host.answer(request_id), "embedding")
            # The light encoder's second number is the duration; the first is 1.
            values = np.frombuffer(result["embedding"], "<f4")
            assert values[1] / values[0] == pytest.approx(duration_s, abs=1e-4)
        assert "halving" in host.errors.decode()
        assert host.finish() == 0
        assert_each_answered_once(host, ids)
        assert "failed" not in host.states

    def test_the_same_with_torch(self, start, tmp_path):
        """Batches of a real network, in halves until they fit: each embedding as it is alone."""
        if importlib.util.find_spec("torch") is None:
            pytest.skip("torch is not installed")
        argv = [sys.executable, str(ROOT / "tests" / "small_sidecar.py")]
        argv += ["--model", str(tmp_path), "--models-dir", str(tmp_path), "--threads", "1"]
        host = start(argv, environment={"FAULT": "memory:20000", "SMALL_BATCH": "16"})
        host.wait_for_state("ready")
        durations_s = [0.3, 0.35, 0.5, 0.6, 1.0, 1.2, 1.3, 0.4] * 4
        alone = {s: packed(host.call("embed", {"audio": noise(s)})) for s in set(durations_s)}
        n_before = len(host.answers)
        requests = [request(n, "embed", {"audio": noise(s)}) for n, s in enumerate(durations_s)]
        host.send(b"".join(map(frame, requests)))
        for number, duration_s in enumerate(durations_s):
            answer = host.answer(number)
            if duration_s > 1.25:
                assert_error(answer, -32021, "out_of_memory")
                assert alone[duration_s] is None
            else:
                assert np.abs(packed(answer) - alone[duration_s]).max() < 1e-5
        assert len(host.answers) == n_before + len(durations_s)
        sizes = host.call("metrics").result["batch_sizes"]
        assert max(map(int, sizes)) > 1
        assert "halving" in host.errors.decode()
        assert host.finish() == 0


def noise(duration_s):
    """Energy in all bands: a pure tone's empty ones would show each rounding."""
    samples = np.random.default_rng(0).normal(0, 0.1, round(duration_s * 16_000))
    return {
        "pcm": samples.astype("<f4").tobytes(),
        "encoding": "f32le",
        "sample_rate_hz": 16_000,
        "channels": 1,
    }


def packed(answer):
    """The embedding, or None where it did not fit."""
    if not isinstance(answer, Result):
        assert_error(answer, -32021)
        return None
    return np.frombuffer(answer.result["embedding"], "<f4")


def test_a_host_that_does_not_read_for_a_while_loses_nothing(start_light):
    """It goes on sending work, until the child reads no more either; memory stays bounded."""
    host = start_light(LIGHT_BATCH="8")
    host.wait_for_state("ready")
    child = psutil.Process(host.process.pid)
    rss_before = child.memory_info().rss
    host.may_read.clear()
    items = [pcm(0.05)] * 16
    n_requests = 4000

    def send_all():
        for request_id in range(n_requests):
            host.send(frame(request(request_id, "embed_batch", {"items": items})))

    sender = threading.Thread(target=send_all)
    sender.start()
    largest_rss, ends_at = 0, time.perf_counter() + PAUSE_S
    while time.perf_counter() < ends_at:
        largest_rss = max(largest_rss, child.memory_info().rss)
        time.sleep(0.05)
    assert sender.is_alive(), "the child reads on, though its answers are not read"
    print(f"{(largest_rss - rss_before) / 2**20:.1f} MiB more in {PAUSE_S:g} s")
    assert largest_rss - rss_before < 64 * 2**20
    host.may_read.set()
    sender.join(PATIENCE_S)
    host.wait_until(lambda: len(host.answers) >= n_requests, "not all answers came")
    assert_each_answered_once(host, range(n_requests))
    outcomes = Counter(
        "ok" if isinstance(answer, Result) else answer.data["kind"] for answer in host.answers
    )
    assert set(outcomes) <= {"ok", "overloaded"}
    assert outcomes["ok"] > 0
    assert host.finish() == 0


def test_an_output_that_is_lost_while_the_device_works(start_queued):
    """Nobody is left to answer: the exit answers, and the device call holds nothing up."""
    host, _ = start_queued()
    host.may_read.clear()
    host.call("health")  # its read returns, and the reader waits
    host.close_output()
    host.request("health")
    assert time_to_end(host.process) < 2
    assert host.process.returncode == 74
