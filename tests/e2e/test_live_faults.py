"""What goes wrong while streams are heard: what their hosts see, and that nobody else does.

The stream of ``MARKED_RATE_HZ`` is the one that a faulty decoder stumbles over.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from faults import MARKED_RATE_HZ
from raw_host import (
    assert_error,
    assert_result,
    error_of_pushes,
    frame,
    pcm,
    request,
    time_to_end,
)

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).standard_normal(RATE_HZ)


def speech(seconds, rate_hz=RATE_HZ):
    """As the light segmenter hears it."""
    return np.resize(0.05 * NOISE, round(seconds * rate_hz)).astype("<f4").tobytes()


def open_stream(host, rate_hz=RATE_HZ):
    answer = host.call("stream_open", {"sample_rate_hz": rate_hz, "encoding": "f32le"})
    return assert_result(answer, "stream")["stream"]


def push(host, stream, pcm=b""):
    return host.call("stream_push", {"stream": stream, "pcm": pcm})


def assert_gone(host, stream):
    for method, more in (("stream_push", {"pcm": b""}), ("stream_close", {})):
        assert_error(host.call(method, {"stream": stream, **more}), -32015, "unknown_stream")


def assert_serves(host, stream):
    """``stream``, of which 5 s were pushed, is heard to its end, and so is another one."""
    assert assert_result(push(host, stream, speech(5)))["received_s"] == 10
    for one in (stream, open_stream(host)):
        push(host, one, speech(2))
        result = assert_result(host.call("stream_close", {"stream": one}), "turns")
        assert [speaker["label"] for speaker in result["speakers"]] == ["S1"]
    assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert "failed" not in host.states


def assert_answered_once(host, ids):
    counts = Counter(answer.id for answer in host.answers)
    assert [counts[request_id] for request_id in ids] == [1] * len(ids), str(host)


# How a step fails, and what the stream's next request is refused with.
STEPS = [
    ("decoder_crashes", -32603, "internal", False, "failed inside"),
    ("decoder_hangs", -32020, "hearing_hangs", True, "open another one"),
    ("decoder_memory", -32021, "out_of_memory", False, "open another one"),
]


@pytest.mark.parametrize(("fault", "code", "kind", "retryable", "said"), STEPS)
class TestAStepThatFails:
    @pytest.fixture
    def host(self, start_light, fault):
        """The second step of the marked stream is hit."""
        # A first step may take a second where the machine is slow.
        timeout_s = "3" if fault == "decoder_hangs" else "30"
        host = start_light(FAULT=f"{fault}:2", DECODE_TIMEOUT_S=timeout_s)
        host.wait_for_state("ready")
        return host

    def test_ends_its_stream_alone(self, host, code, kind, retryable, said):
        hit, other = open_stream(host, MARKED_RATE_HZ), open_stream(host)
        for stream, rate_hz in ((hit, MARKED_RATE_HZ), (other, RATE_HZ)):
            assert_result(push(host, stream, speech(5, rate_hz)), "received_s")
        error = error_of_pushes(host, hit)
        assert_error(error, code, kind, retryable=retryable)
        assert said in error.message
        assert "file" not in error.message
        assert_gone(host, hit)
        n_told = len(told_of(host, hit))
        assert_serves(host, other)
        assert len(told_of(host, hit)) == n_told

    def test_answers_the_close_that_waits_for_it(self, host, code, kind, retryable, said):
        hit, other = open_stream(host, MARKED_RATE_HZ), open_stream(host)
        push(host, other, speech(5))
        push(host, hit, speech(5, MARKED_RATE_HZ))
        closing = host.request("stream_close", {"stream": hit})
        assert_result(host.call("embed", {"audio": pcm()}), "embedding")
        error = host.answer(closing)
        assert_error(error, code, kind, retryable=retryable)
        assert said in error.message
        assert_gone(host, hit)
        assert_serves(host, other)
        assert_answered_once(host, [closing])

    def test_may_be_the_close_itself(self, host, code, kind, retryable, said):
        hit = open_stream(host, MARKED_RATE_HZ)
        push(host, hit, speech(1, MARKED_RATE_HZ))
        error = host.call("stream_close", {"stream": hit})
        assert_error(error, code, kind, retryable=retryable)
        assert said in error.message
        assert_gone(host, hit)


def told_of(host, stream):
    return [told for told in host.notices("stream_turn") if told["stream"] == stream]


def test_others_are_served_while_a_step_hangs(start_light):
    """Live requests at once, other streams once the decoder is replaced; none is lost."""
    host = start_light(FAULT="decoder_hangs:2", DECODE_TIMEOUT_S="3")
    host.wait_for_state("ready")
    hit, other = open_stream(host, MARKED_RATE_HZ), open_stream(host)
    push(host, hit, speech(5, MARKED_RATE_HZ))
    for _ in range(20):
        assert_result(push(host, other, speech(1)), "received_s")
    for _ in range(10):
        assert_result(host.call("embed", {"audio": pcm()}), "embedding")
    assert b"replacing it" not in host.errors
    result = assert_result(host.call("stream_close", {"stream": other}), "duration_s")
    assert result["duration_s"] == 20
    host.wait_for_log("replacing it")


def test_streams_that_hang_again_and_again_end_the_process(start_light):
    host = start_light(FAULT="decoder_hangs", DECODE_TIMEOUT_S="0.1")
    host.wait_for_state("ready")
    streams = [open_stream(host, MARKED_RATE_HZ) for _ in range(12)]
    for stream in streams:
        push(host, stream, speech(1, MARKED_RATE_HZ))
    closes = [host.request("stream_close", {"stream": stream}) for stream in streams]
    assert host.wait() == 70
    assert_answered_once(host, closes)
    kinds = Counter(host.answer(close).data["kind"] for close in closes)
    assert set(kinds) == {"hearing_hangs", "internal"}
    assert "too many decoders hang" in host.notices("health")[-1]["reason"]


def test_one_that_hangs_holds_up_no_end(start_light):
    host = start_light(FAULT="decoder_hangs")
    host.wait_for_state("ready")
    stream = open_stream(host, MARKED_RATE_HZ)
    push(host, stream, speech(1, MARKED_RATE_HZ))
    closing = host.request("stream_close", {"stream": stream})
    bye = host.request("shutdown", {"drain_ms": 50})
    assert time_to_end(host.process) < 2
    assert host.wait() == 0
    assert_error(host.answer(closing), -32800, "cancelled")
    assert_answered_once(host, [closing, bye])
    assert host.messages[-1].id == bye


# What ends the process, and what a close that waits is answered with.
FATAL = [
    ("decoder_exits:2", -32603, "internal"),
    ("device:2", -32020, "device_error"),
    ("crash:2", -32603, "internal"),
    ("exit:2", -32603, "internal"),
    ("hang:2", -32020, "device_hangs"),
]


@pytest.mark.parametrize(("fault", "code", "kind"), FATAL)
def test_what_ends_the_process_answers_each_close(start_light, fault, code, kind):
    timeout_s = "0.5" if fault.startswith("hang") else "60"
    host = start_light(FAULT=fault, DEVICE_TIMEOUT_S=timeout_s)
    host.wait_for_state("ready")
    streams = [open_stream(host, rate_hz) for rate_hz in (MARKED_RATE_HZ, RATE_HZ)]
    payload = b"".join(
        frame(request(number, "stream_push", {"stream": stream, "pcm": speech(5, rate_hz)}))
        + frame(request(10 + number, "stream_close", {"stream": stream}))
        for number, (stream, rate_hz) in enumerate(
            zip(streams, (MARKED_RATE_HZ, RATE_HZ), strict=True)
        )
    )
    host.send(payload)
    assert host.wait() == 70
    assert_answered_once(host, [0, 1, 10, 11])
    for close in (10, 11):
        assert_error(host.answer(close), code, kind)
    assert host.states[-1] == "failed"


def test_a_voice_that_does_not_fit_into_the_devices_memory(start_light):
    """The stream ends with that error, at its close too; other streams do not."""
    # Six tenths of a second fit, and the pieces of a longer turn, of about a second, do not.
    host = start_light(FAULT="memory:12000", LIGHT_BATCH="8")
    host.wait_for_state("ready")
    hit, closed, other = (open_stream(host) for _ in range(3))
    for stream in (hit, closed):
        push(host, stream, speech(5))
    push(host, other, speech(0.6))
    error = error_of_pushes(host, hit)
    assert_error(error, -32021, "out_of_memory", retryable=False)
    assert "open another one" in error.message
    error = host.call("stream_close", {"stream": closed})
    assert_error(error, -32021, "out_of_memory")
    for stream in (hit, closed):
        assert_gone(host, stream)
    result = assert_result(host.call("stream_close", {"stream": other}), "turns")
    assert len(result["turns"]) == 1
    assert_result(host.call("embed", {"audio": pcm(0.5)}), "embedding")
    assert "failed" not in host.states
