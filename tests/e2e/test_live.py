"""Streams through the whole process, with a segmenter that hears people by loudness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from light_segmenter import FRAME_SAMPLES
from raw_host import assert_error, assert_result, error_of_pushes

RATE_HZ = 16_000
FRAME_S = FRAME_SAMPLES / RATE_HZ
NOISE = np.random.default_rng(0).standard_normal(120 * RATE_HZ)
# Amplitudes of noise, by who is heard.
NOBODY, FIRST, SECOND = 0.0, 0.05, 0.2
FORMAT = {"sample_rate_hz": RATE_HZ, "encoding": "f32le"}


def sound(*runs):
    """Of runs of (seconds, amplitude)."""
    parts = [amplitude * NOISE[: round(seconds * RATE_HZ)] for seconds, amplitude in runs]
    return np.concatenate(parts).astype("<f4")


TWO = sound((1, NOBODY), (4, FIRST), (1, NOBODY), (4, SECOND), (1, NOBODY), (3, FIRST))


@pytest.fixture
def host(start_light):
    host = start_light()
    host.wait_for_state("ready")
    return host


def open_stream(host, **options):
    return assert_result(host.call("stream_open", {**FORMAT, **options}), "stream")["stream"]


def push(host, stream, samples):
    answer = host.call("stream_push", {"stream": stream, "pcm": samples.tobytes()})
    return assert_result(answer, "received_s", "buffered_s")


def push_all(host, stream, samples, piece_s=0.1):
    """Piece by piece; what there is no room for, again."""
    size = round(piece_s * RATE_HZ)
    for start in range(0, len(samples), size):
        pcm = samples[start : start + size].tobytes()
        while True:
            answer = host.call("stream_push", {"stream": stream, "pcm": pcm})
            if getattr(answer, "code", None) != -32001:
                break
        assert_result(answer, "received_s", "buffered_s")


def close(host, stream, **options):
    answer = host.call("stream_close", {"stream": stream, **options})
    return assert_result(answer, "turns", "speakers", "duration_s")


def turns_of(result):
    return [(t["start_s"], t["end_s"], t["speaker"], t["overlap"]) for t in result["turns"]]


def near(seconds):
    return pytest.approx(seconds, abs=2 * FRAME_S)


def test_hello_names_it(host):
    hello = host.wait_for_hello()
    assert "streams" in hello["capabilities"]
    assert hello["limits"]["max_streams"] == 16
    assert hello["limits"]["max_stream_buffer_s"] == 30


@pytest.mark.parametrize("piece_s", [0.1, 0.33, 20])
def test_the_close_tells_what_diarize_tells(host, piece_s):
    audio = {**FORMAT, "pcm": TWO.tobytes(), "channels": 1}
    whole = assert_result(host.call("diarize", {"audio": audio, "n_speakers": 2}))
    stream = open_stream(host)
    push_all(host, stream, TWO, piece_s)
    result = close(host, stream, n_speakers=2)
    assert turns_of(result) == turns_of(whole)
    assert result["duration_s"] == whole["duration_s"] == 14
    assert [s["speech_s"] for s in result["speakers"]] == [s["speech_s"] for s in whole["speakers"]]
    assert result["fingerprint"] == "light.0"


def test_turns_are_told_as_they_come(host):
    stream = open_stream(host, start_s=100.0)
    push_all(host, stream, TWO[: 5 * RATE_HZ])
    host.wait_until(lambda: host.notices("stream_turn"), "nobody was noticed")
    first = host.notices("stream_turn")[0]
    assert first["stream"] == stream
    assert first["start_s"] == pytest.approx(101, abs=0.3)
    push_all(host, stream, TWO[5 * RATE_HZ :])
    # Of the light encoder all voices are one person's.
    result = close(host, stream)
    final = {told["turn"]: told for told in host.notices("stream_turn") if told["final"]}
    last = {told["turn"]: told for told in host.notices("stream_turn")}
    assert final == last  # nothing is told of a turn after it was final, and each becomes final
    spoken = [told for told in final.values() if "speaker" in told]
    assert [told["start_s"] for told in spoken] == [
        pytest.approx(at, abs=0.3) for at in (101, 106, 111)
    ]
    for told in spoken:
        assert len(told["embedding"]) == 16
        assert told["speech_s"] > 0
    assert {told["speaker"] for told in spoken} == {"S1"}
    assert {turn["speaker"] for turn in result["turns"]} == {"S1"}
    assert result["turns"][0]["start_s"] == near(101)


def test_levels_are_told_to_whom_they_interest(host):
    quiet, loud = open_stream(host), open_stream(host, detail="levels")
    for stream in (quiet, loud):
        push_all(host, stream, np.concatenate([TWO[:RATE_HZ], 0 * TWO[:RATE_HZ]]))
        close(host, stream)
    levels = host.notices("stream_level")
    assert {told["stream"] for told in levels} == {loud}
    assert levels[0]["start_s"] == 0
    assert levels[-1]["end_s"] == 2
    assert all(a["end_s"] == b["start_s"] for a, b in itertools.pairwise(levels))
    assert "rms_dbfs" not in levels[-1]


def test_samples_of_another_rate_and_channels(host):
    left = np.repeat(TWO, 3)
    frames = np.stack([left, np.zeros_like(left)], axis=1)
    pcm = (32_767 * np.clip(frames, -1, 1)).astype("<i2")
    opened = {"sample_rate_hz": 48_000, "encoding": "s16le", "channels": 2, "channel": 0}
    stream = open_stream(host, **opened)
    push_all(host, stream, pcm[: 9 * 48_000], piece_s=0.5)
    result = close(host, stream, n_speakers=2)
    assert result["duration_s"] == pytest.approx(9, abs=0.01)
    assert len(result["turns"]) == 2


def test_what_cannot_be_used_is_refused_and_the_stream_goes_on(host):
    stream = open_stream(host)
    push(host, stream, TWO[:1000])
    bad = TWO[:10].copy()
    bad[3] = np.nan
    answer = host.call("stream_push", {"stream": stream, "pcm": bad.tobytes()})
    assert_error(answer, -32010, "non_finite", retryable=False)
    assert answer.data["index"] == 1003
    answer = host.call("stream_push", {"stream": stream, "pcm": b"\0\0\0"})
    assert_error(answer, -32010, "odd_length")
    assert push(host, stream, TWO[1000:16_000])["received_s"] == 1
    assert close(host, stream)["duration_s"] == 1


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"sample_rate_hz": 100}, "unsupported_sample_rate"),
        ({"encoding": "f64le"}, "unsupported_encoding"),
        ({"channels": 65}, "unsupported_channels"),
        ({"channel": 1}, "unsupported_channels"),
    ],
)
def test_audio_that_is_not_taken(host, options, kind):
    assert_error(host.call("stream_open", {**FORMAT, **options}), -32010, kind)


def test_a_stream_is_closed_once(host):
    stream = open_stream(host)
    result = close(host, stream)
    assert (result["turns"], result["speakers"], result["duration_s"]) == ([], [], 0)
    for method, more in (("stream_push", {"pcm": b""}), ("stream_close", {})):
        answer = host.call(method, {"stream": stream, **more})
        assert_error(answer, -32015, "unknown_stream", retryable=False)


def test_no_more_streams_than_there_may_be(host):
    streams = [open_stream(host) for _ in range(16)]
    answer = host.call("stream_open", FORMAT)
    assert_error(answer, -32001, "overloaded", retryable=True)
    assert answer.data["max_streams"] == 16
    close(host, streams[3])
    open_stream(host)


def test_what_waits_is_bounded_and_nothing_is_lost(start_light, gate):
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    stream = open_stream(host)
    sent = 0
    while True:
        answer = host.call("stream_push", {"stream": stream, "pcm": sound((4, FIRST)).tobytes()})
        if hasattr(answer, "code"):
            break
        sent += 4
        assert answer.result["received_s"] == sent
        assert sent <= 30
    assert_error(answer, -32001, "overloaded", retryable=True)
    assert answer.data["max_stream_buffer_s"] == 30
    assert answer.data["retry_after_ms"] > 0
    gate.touch()
    assert close(host, stream)["duration_s"] == sent


def test_a_close_may_be_late_or_cancelled(start_light, gate):
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    late, cancelled = open_stream(host), open_stream(host)
    for stream in (late, cancelled):
        push(host, stream, TWO)
    answer = host.call("stream_close", {"stream": late, "deadline_ms": 1})
    assert_error(answer, -32004, "deadline_exceeded")
    closing = host.request("stream_close", {"stream": cancelled})
    host.cancel(closing)
    assert_error(host.answer(closing), -32800, "cancelled")
    gate.touch()
    for stream in (late, cancelled):
        answer = host.call("stream_push", {"stream": stream, "pcm": b""})
        assert_error(answer, -32015, "unknown_stream")
    again = open_stream(host)
    push_all(host, again, TWO)
    assert close(host, again)["duration_s"] == 14


def test_what_cannot_be_heard_is_told_with_the_next_request(start_light):
    host = start_light(LIGHT_SEGMENTER="no:download_failed")
    host.wait_for_state("ready")
    stream = open_stream(host)
    push(host, stream, TWO)
    answer = error_of_pushes(host, stream)
    assert_error(answer, -32011, "download_failed", retryable=True)
    answer = host.call("stream_push", {"stream": stream, "pcm": b""})
    assert_error(answer, -32015, "unknown_stream")


def test_a_close_is_refused_with_what_went_wrong(start_light):
    host = start_light(LIGHT_SEGMENTER="no:download_failed")
    stream = open_stream(host)
    push(host, stream, TWO)
    answer = host.call("stream_close", {"stream": stream})
    assert_error(answer, -32011, "download_failed")


def test_speakers_of_another_model_are_refused(host):
    speaker = {"label": "S7", "embedding": bytes(16), "fingerprint": "other.0", "speech_s": 3.0}
    answer = host.call("stream_open", {**FORMAT, "speakers": [speaker]})
    assert_error(answer, -32012, "incompatible_embeddings")
    speaker["fingerprint"] = "light.0"
    answer = host.call("stream_open", {**FORMAT, "speakers": [speaker]})
    assert_error(answer, -32602, "invalid_params")


def test_speakers_of_another_model_are_found_out_once_it_is_there(start_light, gate):
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    speaker = {"label": "S7", "embedding": TWO[-4:].tobytes(), "speech_s": 3.0}
    stream = open_stream(host, speakers=[{**speaker, "fingerprint": "other.0"}])
    push(host, stream, TWO)
    gate.touch()
    answer = host.call("stream_close", {"stream": stream})
    assert_error(answer, -32012, "incompatible_embeddings")


def test_many_streams_beside_live_requests(host):
    streams = [open_stream(host) for _ in range(10)]
    size = RATE_HZ // 2
    embeds = []
    for start in range(0, len(TWO), size):
        for stream in streams:
            pcm = TWO[start : start + size].tobytes()
            host.request("stream_push", {"stream": stream, "pcm": pcm})
        audio = {**FORMAT, "pcm": TWO[RATE_HZ : 2 * RATE_HZ].tobytes(), "channels": 1}
        embeds.append(host.request("embed", {"audio": audio}))
    for embed in embeds:
        assert_result(host.answer(embed), "embedding")
    results = [close(host, stream, n_speakers=2) for stream in streams]
    audio = {**FORMAT, "pcm": TWO.tobytes(), "channels": 1}
    whole = assert_result(host.call("diarize", {"audio": audio, "n_speakers": 2}))
    assert all(turns_of(result) == turns_of(whole) for result in results)


def test_a_shutdown_takes_no_more_and_ends_in_time(host):
    stream = open_stream(host)
    push(host, stream, TWO)
    ending = host.request("shutdown", {"drain_ms": 3000})
    assert_result(host.answer(ending), "finished", "cancelled")
    assert host.wait() == 0
