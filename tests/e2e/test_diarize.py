"""Who speaks when, through the whole process, with a segmenter that hears people by loudness."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from light_segmenter import FRAME_SAMPLES
from raw_host import assert_error, assert_result
from unit.sound_files import encoded

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).standard_normal(120 * RATE_HZ)
FRAME_S = FRAME_SAMPLES / RATE_HZ
# Amplitudes of noise, by who is heard.
NOBODY, FIRST, SECOND, BOTH = 0.0, 0.05, 0.2, 1.0


def sound(*runs):
    """Of runs of (seconds, amplitude)."""
    parts = [amplitude * NOISE[: round(seconds * RATE_HZ)] for seconds, amplitude in runs]
    return np.concatenate(parts).astype("<f4")


def pcm_of(*runs, **more):
    pcm = sound(*runs).tobytes()
    return {"pcm": pcm, "encoding": "f32le", "sample_rate_hz": RATE_HZ, "channels": 1, **more}


TWO = pcm_of((1, NOBODY), (4, FIRST), (4, SECOND), (1, NOBODY))
LONG = pcm_of(*[(2, FIRST), (1, NOBODY)] * 20)


@pytest.fixture
def host(start_light):
    host = start_light()
    host.wait_for_state("ready")
    return host


def diarize(host, audio, **params):
    return assert_result(host.call("diarize", {"audio": audio, **params}))


def turns_of(result):
    return [(t["start_s"], t["end_s"], t["speaker"], t["overlap"]) for t in result["turns"]]


def near(seconds):
    return pytest.approx(seconds, abs=2 * FRAME_S)


def test_hello_names_it(host):
    assert "diarize" in host.wait_for_hello()["capabilities"]


def test_who_speaks_when(host):
    result = diarize(host, TWO, n_speakers=2)
    assert turns_of(result) == [
        (near(1), near(5), "S1", False),
        (near(5), near(9), "S2", False),
    ]
    assert [speaker["label"] for speaker in result["speakers"]] == ["S1", "S2"]
    for speaker in result["speakers"]:
        assert speaker["speech_s"] == near(4)
        values = np.frombuffer(speaker["embedding"], "<f4")
        assert len(values) == result["dim"] == 4
        assert np.linalg.norm(values) == pytest.approx(1)
        assert speaker.keys() == {"label", "embedding", "speech_s"}
    assert result["duration_s"] == 10
    assert result["model"] == "light"
    assert result["fingerprint"] == "light.0"
    assert "warnings" not in result


def test_times_are_those_of_the_audio_as_it_was_sent(host):
    whole, part = diarize(host, TWO, n_speakers=2), diarize(host, {**TWO, "start_s": 3.0})
    assert part["duration_s"] == 7
    assert part["turns"][0]["start_s"] == near(3)
    assert part["turns"][-1]["end_s"] == near(whole["turns"][-1]["end_s"])


def test_together_and_one_at_a_time(host):
    # Where one frame ends and the next one begins: in between it would be of neither loudness.
    audio = pcm_of((2.9925, FIRST), (2.008125, BOTH), (3, SECOND))
    together = turns_of(diarize(host, audio, n_speakers=2))
    assert together == [(near(0), near(5), "S1", True), (near(3), near(8), "S2", True)]
    alone = turns_of(diarize(host, audio, n_speakers=2, exclusive=True))
    assert not any(overlap for *_, overlap in alone)
    for (_, end_s, *_), (start_s, *_) in itertools.pairwise(alone):
        assert end_s <= start_s
    assert sum(end_s - start_s for start_s, end_s, *_ in alone) == near(8)


@pytest.mark.parametrize("audio", [pcm_of((30, NOBODY)), pcm_of((0.001, NOBODY))])
def test_where_nobody_speaks_nobody_is_told_of(host, audio):
    result = diarize(host, audio, identify=True)
    assert result["turns"] == result["speakers"] == []
    assert result["duration_s"] == len(audio["pcm"]) / 4 / RATE_HZ


def test_the_gallery_says_who_they_are(host):
    voice = pcm_of((5, FIRST))
    ada = assert_result(host.call("enroll", {"name": "Ada", "audio": voice}))
    [speaker] = diarize(host, voice, identify=True)["speakers"]
    # There is no calibration for the light model, and so nobody is known for sure.
    assert "person" not in speaker
    assert ada["created"]
    warnings = diarize(host, voice, identify=True)["warnings"]
    assert [warning["kind"] for warning in warnings] == ["not_calibrated"]


@pytest.mark.parametrize("container", ["FLAC", "WAV"])
def test_progress_is_told_in_seconds(start_light, container):
    host = start_light(LIGHT_EMBED_S="0.05")
    host.wait_for_state("ready")
    file = encoded(container, samples=np.frombuffer(LONG["pcm"], "<f4"))
    diarize(host, {"file": file}, progress=True)
    told = [p for p in host.notices("progress") if "id" in p]
    assert len(told) > 2
    assert {(p["unit"], p["total"]) for p in told[1:]} == {("seconds", 60)}
    done = [p["done"] for p in told]
    assert done == sorted(done)
    assert 0 < done[-1] <= 60


@pytest.mark.parametrize("sent", ["pcm", "file"])
def test_others_have_their_turns(start_light, gate, sent):
    """One chunk hangs: live requests, and other long work, go on."""
    host = start_light(LIGHT_HEAR_GATE=str(gate))
    host.wait_for_state("ready")
    file = {"file": encoded("WAV", samples=np.frombuffer(LONG["pcm"], "<f4"))}
    long = host.request("diarize", {"audio": file})
    audio = TWO if sent == "pcm" else {"file": encoded("WAV", samples=sound((3, FIRST)))}
    for _ in range(3):
        assert_result(host.call("embed", {"audio": audio}))
    assert not host.answers_to(long)
    gate.touch()
    assert assert_result(host.answer(long))["duration_s"] == 60


def test_it_can_be_given_up_in_the_middle(start_light, gate):
    host = start_light(LIGHT_HEAR_GATE=str(gate))
    host.wait_for_state("ready")
    cancelled = host.request("diarize", {"audio": LONG})
    late = host.request("diarize", {"audio": LONG, "deadline_ms": 300})
    assert_error(host.answer(late), -32004, "deadline_exceeded")
    host.cancel(cancelled)
    assert_error(host.answer(cancelled), -32800, "cancelled")
    gate.touch()
    assert diarize(host, TWO)["duration_s"] == 10
    assert host.call("health").result["activity"]["in_flight"] == 0


def test_only_who_needs_the_network_waits_for_it(start_light, gate):
    host = start_light(LIGHT_SEGMENTER=f"gate:{gate}")
    host.wait_for_state("ready")
    waiting = host.request("diarize", {"audio": TWO})
    host.wait_until_queued(1)
    assert_result(host.call("embed", {"audio": TWO, "speech": "auto"}))
    assert not host.answers_to(waiting)
    gate.touch()
    assert assert_result(host.answer(waiting))["turns"]
    assert host.finish() == 0


def test_where_the_network_cannot_be_had_that_is_told(start_light):
    host = start_light(LIGHT_SEGMENTER="no:offline")
    assert_error(host.call("diarize", {"audio": TWO}), -32011, "offline", retryable=False)
    assert_result(host.call("embed", {"audio": TWO}))


@pytest.mark.parametrize(
    "params",
    [
        {"n_speakers": 0},
        {"max_speakers": 101},
        {"n_speakers": 2, "max_speakers": 3},
        {"min_speakers": 3, "max_speakers": 2},
        {"speech": "auto"},
    ],
)
def test_what_cannot_be_meant_is_refused(host, params):
    assert_error(host.call("diarize", {"audio": TWO, **params}), -32602)


def test_a_broken_recording_is_refused_as_a_whole(host):
    samples = np.frombuffer(LONG["pcm"], "<f4").copy()
    samples[40 * RATE_HZ] = np.nan
    began_at = time.perf_counter()
    answer = host.call("diarize", {"audio": {**LONG, "pcm": samples.tobytes()}})
    assert_error(answer, -32010, "non_finite")
    assert time.perf_counter() - began_at < 30
    assert host.call("health").result["activity"]["in_flight"] == 0


def test_what_hears_speech_is_waited_for_and_done_without(start_light, gate):
    host = start_light(LIGHT_DETECTOR=f"gate:{gate}")
    host.wait_for_state("ready")
    waiting = host.request("diarize", {"audio": TWO})
    host.wait_until_queued(1)
    gate.touch()
    assert assert_result(host.answer(waiting))["turns"]
    without = start_light(LIGHT_DETECTOR="no:offline")
    without.wait_for_state("ready")
    assert diarize(without, TWO)["turns"]
