"""Streams at the edges of what a host may do: too little, too much, too late, and never."""

from __future__ import annotations

import itertools

import numpy as np
import psutil
import pytest
from raw_host import RawHost, assert_error, assert_result, frame, request, time_to_end

RATE_HZ = 16_000
FORMAT = {"sample_rate_hz": RATE_HZ, "encoding": "f32le"}
NOISE = np.random.default_rng(0).standard_normal(4 * RATE_HZ)
SPEECH = (0.05 * NOISE).astype("<f4").tobytes()


@pytest.fixture(scope="module")
def host(light_argv):
    with RawHost(light_argv) as host:
        host.wait_for_state("ready")
        yield host
        assert host.finish() == 0


def open_stream(host, **options):
    return assert_result(host.call("stream_open", {**FORMAT, **options}), "stream")["stream"]


def push(host, stream, pcm):
    return host.call("stream_push", {"stream": stream, "pcm": pcm})


def close(host, stream, **options):
    return host.call("stream_close", {"stream": stream, **options})


@pytest.mark.parametrize("n_frames", [0, 1, 2, 399])
@pytest.mark.parametrize(
    ("rate_hz", "encoding", "channels"),
    [(8_000, "s16le", 1), (11_025, "f32le", 2), (44_100, "s16le", 8), (192_000, "f32le", 64)],
)
def test_next_to_nothing(host, rate_hz, encoding, channels, n_frames):
    options = {"sample_rate_hz": rate_hz, "encoding": encoding, "channels": channels}
    stream = open_stream(host, **options)
    one = bytes(channels * (2 if encoding == "s16le" else 4))
    for number in range(n_frames):
        assert_result(push(host, stream, one), "received_s")
        assert assert_result(push(host, stream, b""))["received_s"] == (number + 1) / rate_hz
    result = assert_result(close(host, stream), "turns", "speakers", "duration_s")
    assert (result["turns"], result["speakers"]) == ([], [])
    assert result["duration_s"] == pytest.approx(n_frames / rate_hz, abs=2 / RATE_HZ)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"sample_rate_hz": 1}, "unsupported_sample_rate"),
        ({"sample_rate_hz": 7_999}, "unsupported_sample_rate"),
        ({"sample_rate_hz": 384_000}, "unsupported_sample_rate"),
        ({"encoding": "alaw"}, "unsupported_encoding"),
        ({"channels": 8, "channel": 8}, "unsupported_channels"),
    ],
)
def test_what_is_refused_at_the_opening_takes_no_place(host, options, kind):
    for _ in range(20):  # more than may be open
        assert_error(host.call("stream_open", {**FORMAT, **options}), -32010, kind)
    assert_result(close(host, open_stream(host)))


@pytest.mark.parametrize(
    ("pcm", "code", "kind"),
    [
        (b"\0", -32010, "odd_length"),
        (bytes(12), -32010, "odd_length"),  # one frame and a half
        (np.array([0, np.nan], "<f4").tobytes(), -32010, "non_finite"),
        (np.array([0, -np.inf], "<f4").tobytes(), -32010, "non_finite"),
        (np.array([1e30, 0], "<f4").tobytes(), -32010, "out_of_range"),
        (bytes(2 * 4 * (30 * RATE_HZ + 1)), -32602, "push_too_large"),
    ],
)
def test_what_is_refused_takes_nothing(host, pcm, code, kind):
    stream = open_stream(host, channels=2)
    assert_result(push(host, stream, SPEECH))
    assert_error(push(host, stream, pcm), code, kind, retryable=False)
    assert assert_result(push(host, stream, b""))["received_s"] == 2
    assert assert_result(close(host, stream))["duration_s"] == 2


def test_a_text_is_no_samples(host):
    stream = open_stream(host)
    answer = host.call("stream_push", {"stream": stream, "pcm": "0000"})
    assert_error(answer, -32602, "invalid_params", retryable=False)
    assert_result(close(host, stream))


def test_nothing_comes_after_a_close_that_waits(start_light, gate):
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    stream = open_stream(host)
    push(host, stream, SPEECH)
    first = host.request("stream_close", {"stream": stream})
    assert_error(push(host, stream, SPEECH), -32015, "unknown_stream")
    assert_error(close(host, stream), -32015, "unknown_stream")
    assert host.answers_to(first) == []
    gate.touch()
    assert assert_result(host.answer(first))["duration_s"] == 4
    assert len(host.answers_to(first)) == 1


def test_nothing_is_told_after_the_answer_to_the_close(host):
    streams = [open_stream(host, detail="levels") for _ in range(8)]
    frames = []
    for number, stream in enumerate(streams):
        frames += [
            request(f"push {number}", "stream_push", {"stream": stream, "pcm": SPEECH}),
            request(f"close {number}", "stream_close", {"stream": stream}),
        ]
    host.send(b"".join(map(frame, frames)))
    for number in range(len(streams)):
        assert_result(host.answer(f"close {number}"))
    host.call("health")
    closed = set()
    for message in list(host.messages):
        answered = str(getattr(message, "id", ""))
        if answered.startswith("close "):
            closed.add(streams[int(answered.removeprefix("close "))])
        stream = getattr(message, "params", {}).get("stream")
        assert stream not in closed
    assert closed == set(streams)


def test_streams_that_are_never_closed(start_light):
    """There are as many as there may be, however often one is asked for; and nothing ends them."""
    host = start_light()
    host.wait_for_state("ready")
    streams = [open_stream(host) for _ in range(16)]
    child = psutil.Process(host.process.pid)
    before = child.memory_info().rss
    for _ in range(2000):
        answer = host.call("stream_open", FORMAT)
        assert_error(answer, -32001, "overloaded", retryable=True)
    assert child.memory_info().rss - before < 8 * 2**20
    for stream in streams:
        assert_result(push(host, stream, SPEECH), "received_s")
    assert host.finish() == 0


def test_a_host_that_goes_leaves_nothing(start_light, gate):
    """Streams are open, one is heard, one closes; the gate holds them up for ever."""
    host = start_light(LIGHT_HEAR_GATE=str(gate))
    host.wait_for_state("ready")
    streams = [open_stream(host) for _ in range(3)]
    for stream, _ in itertools.product(streams, range(5)):
        push(host, stream, SPEECH)
    host.request("stream_close", {"stream": streams[0]})
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.wait() == 0
