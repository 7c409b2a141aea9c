"""Speech through the whole process, with a detector that takes for speech what is loud."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from raw_host import PATIENCE_S, assert_error, assert_result
from unit.sound_files import encoded

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).standard_normal(60 * RATE_HZ)


def sound(*runs):
    """Of runs of (seconds, amplitude)."""
    parts = [amplitude * NOISE[: round(seconds * RATE_HZ)] for seconds, amplitude in runs]
    return np.concatenate(parts).astype(np.float32)


def pcm_of(*runs, **more):
    pcm = sound(*runs).astype("<f4").tobytes()
    return {"pcm": pcm, "encoding": "f32le", "sample_rate_hz": RATE_HZ, "channels": 1, **more}


SPOKEN = pcm_of((3.2, 0.0), (1.6, 0.1), (2.0, 0.0))
SPOKEN_S = 1.66
SILENT = pcm_of((3.0, 0.0))


@pytest.fixture
def host(start_light):
    host = start_light()
    host.wait_for_state("ready")
    return host


def test_hello_names_what_can_be_asked_for(host):
    assert {"speech", "quality"} <= set(host.wait_for_hello()["capabilities"])


def test_an_embedding_is_of_all_of_it_and_tells_how_much_of_that_is_speech(host):
    result = assert_result(host.call("embed", {"audio": SPOKEN}))
    assert result["duration_s"] == pytest.approx(6.8)
    assert result["quality"]["speech_s"] == pytest.approx(SPOKEN_S)
    assert assert_result(host.call("embed", {"audio": SILENT}))["quality"]["speech_s"] == 0


def test_auto_embeds_the_speech_alone(host):
    result = assert_result(host.call("embed", {"audio": SPOKEN, "speech": "auto"}))
    assert result["duration_s"] == pytest.approx(SPOKEN_S)
    alone = pcm_of((3.2, 0.0), (1.6, 0.1), (2.0, 0.0), start_s=3.17, end_s=4.83)
    assert result["embedding"] == assert_result(host.call("embed", {"audio": alone}))["embedding"]


@pytest.mark.parametrize("use", ["auto", "require"])
def test_without_speech_there_is_no_embedding(host, use):
    answer = host.call("embed", {"audio": SILENT, "speech": use})
    assert_error(answer, -32010, "no_speech", retryable=False)
    assert answer.data["speech_s"] == 0
    assert answer.data["needed_s"] == 0.5


def test_in_a_batch_only_what_has_none_is_refused(host):
    params = {"items": [SPOKEN, SILENT, SPOKEN], "speech": "require"}
    first, second, third = assert_result(host.call("embed_batch", params))["results"]
    assert second["error"]["data"]["kind"] == "no_speech"
    for entry in (first, third):
        assert entry["result"]["duration_s"] == pytest.approx(6.8)
        assert entry["result"]["quality"]["speech_s"] == pytest.approx(SPOKEN_S)


def test_a_score_tells_of_both_audios(host):
    result = assert_result(host.call("score", {"a": SPOKEN, "b": SILENT}))
    assert result["quality_a"]["speech_s"] == pytest.approx(SPOKEN_S)
    assert result["quality_b"]["speech_s"] == 0
    assert_error(host.call("score", {"a": SPOKEN, "b": SILENT, "speech": "auto"}), -32010)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_speech_tells_where_in_a_file_somebody_speaks(host, container):
    samples = sound((20.0, 0.0), (1.6, 0.1), (20.0, 0.0), (2.0, 0.1))
    file = encoded(container, samples=np.stack([0 * samples, samples], axis=1))
    audio = {"file": file, "channel": 1, "start_s": 10.0}
    result = assert_result(host.call("speech", {"audio": audio}))
    wanted = np.array([[19.97, 21.63], [41.57, 43.6]])
    assert np.array(result["segments"]) == pytest.approx(wanted, abs=0.1)
    assert result["speech_s"] == pytest.approx(np.diff(result["segments"]).sum())
    assert result["duration_s"] == pytest.approx(33.6, abs=0.1)


def test_speech_is_told_while_the_model_still_loads(start_light, gate):
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    assert assert_result(host.call("speech", {"audio": SPOKEN}))["speech_s"] > 1
    assert "ready" not in host.states


def test_what_hears_speech_is_waited_for_by_those_who_need_it_alone(start_light, gate):
    """It is being fetched."""
    host = start_light(LIGHT_DETECTOR=f"gate:{gate}")
    waiting = [
        host.request("embed", {"audio": SPOKEN, "speech": "auto"}),
        host.request("speech", {"audio": SPOKEN}),
    ]
    cancelled = host.request("embed", {"audio": SPOKEN, "speech": "require"})
    late = host.request("embed", {"audio": SPOKEN, "speech": "auto", "deadline_ms": 50})
    host.wait_until_queued(3)
    for _ in range(3):
        result = assert_result(host.call("embed", {"audio": SPOKEN}))
        assert result["quality"]["speech_s"] is None
        assert result["quality"]["level_dbfs"] is not None
    host.cancel(cancelled)
    assert_error(host.answer(cancelled), -32800)
    assert_error(host.answer(late), -32004)
    assert not any(host.answers_to(request_id) for request_id in waiting)
    gate.touch()
    for request_id in waiting:
        assert_result(host.answer(request_id))
    quality = assert_result(host.call("embed", {"audio": SPOKEN}))["quality"]
    assert quality["speech_s"] == pytest.approx(SPOKEN_S)
    assert host.finish() == 0


def test_where_it_cannot_be_had_those_who_need_it_are_told_and_others_are_not(start_light):
    host = start_light(LIGHT_DETECTOR="no:offline")
    for method, params in (("speech", {}), ("embed", {"speech": "auto"})):
        answer = host.call(method, {"audio": SPOKEN, **params})
        assert_error(answer, -32011, "offline", retryable=False)
    assert assert_result(host.call("embed", {"audio": SPOKEN}))["quality"]["speech_s"] is None
    assert_error(host.call("embed", {"audio": SPOKEN, "speech": "require"}), -32011)


def test_with_an_option_it_is_there_before_the_start_is_over(start_light, gate):
    host = start_light("--speech", LIGHT_DETECTOR=f"gate:{gate}")
    host.wait_for_log("light: loading")
    waiting = host.request("embed", {"audio": SPOKEN, "speech": "auto"})
    host.wait_until_queued(1)
    assert host.states == ["loading"]
    gate.touch()
    host.wait_for_state("ready")
    assert assert_result(host.answer(waiting))["duration_s"] == pytest.approx(SPOKEN_S)


def test_with_that_option_there_is_no_start_without_it(start_light):
    host = start_light("--speech", LIGHT_DETECTOR="no:offline")
    assert host.wait() == 69
    assert "no network, as the test asked" in host.notices("health")[-1]["reason"]


def test_an_end_does_not_wait_for_a_fetch(start_light, gate):
    host = start_light(LIGHT_DETECTOR=f"gate:{gate}")
    waits = host.request("speech", {"audio": SPOKEN})
    host.wait_until_queued(1)
    host.process.stdin.close()
    assert host.wait(PATIENCE_S) == 0
    assert_error(host.answers_to(waits)[0], -32800)


def test_an_hour_is_heard_in_little_memory_and_holds_up_nobody(start_light, tmp_path):
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(sound((30.0, 0.0), (30.0, 0.1)))
    host = start_light()
    host.wait_for_state("ready")
    before = assert_result(host.call("health"))["process"]["rss_bytes"]
    hour = host.request("speech", {"audio": {"path": str(path)}})
    assert_result(host.call("embed", {"audio": SPOKEN}))
    assert not host.answers_to(hour)
    result = assert_result(host.answer(hour))
    assert len(result["segments"]) == 60
    assert result["duration_s"] == 3600
    grown = assert_result(host.call("health"))["process"]["rss_bytes"] - before
    assert grown < 50e6
