"""Long work never stands in the way, and is done in one request, in little memory."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from raw_host import assert_error, assert_result, pcm


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    """A file that takes a second or so to decode to its end."""
    path = tmp_path_factory.mktemp("audio") / "hour.flac"
    minute = (0.1 * np.random.default_rng(0).standard_normal(60 * 16_000)).astype(np.float32)
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(minute)
    return path


def whole_of(path):
    """What reads all of a file for two seconds of it."""
    return {"audio": {"path": str(path)}, "segments": [[0, 1], [3599, 3600]]}


def test_samples_pass_files_that_are_being_decoded(start_light, hour):
    host = start_light()
    host.wait_for_state("ready")
    files = [host.request("embed_segments", whole_of(hour)) for _ in range(4)]
    samples = host.request("embed", {"audio": pcm(0.1)})
    assert_result(host.answer(samples), "embedding")
    assert not any(host.answers_to(file) for file in files)
    for file in files:
        assert_result(host.answer(file), "results")


def test_a_file_passes_longer_ones_that_are_being_decoded(start_light, hour, tmp_path):
    host = start_light()
    host.wait_for_state("ready")
    short = tmp_path / "short.flac"
    soundfile.write(short, np.zeros(16_000, np.float32), 16_000)
    files = [host.request("embed_segments", whole_of(hour)) for _ in range(8)]
    later = host.request("embed", {"audio": {"path": str(short)}})
    assert_result(host.answer(later), "embedding")
    assert not any(host.answers_to(file) for file in files)
    for file in files:
        assert_result(host.answer(file), "results")


def test_a_file_that_nobody_wants_any_more_is_not_decoded_to_its_end(start_light, hour):
    host = start_light()
    host.wait_for_state("ready")
    alone = host.call("embed_segments", whole_of(hour)).result["results"][1]["result"]["timings"]
    files = [host.request("embed_segments", whole_of(hour)) for _ in range(20)]
    host.wait_until_queued(18)
    for file in files:
        host.cancel(file)
    for file in files:
        answer = host.answer(file)
        entries = getattr(answer, "result", {}).get("results", [])
        assert entries[1:] == [] or entries[1]["error"]["data"]["kind"] == "cancelled"
        if not entries:
            assert_error(answer, -32800, "cancelled")
    # Both decoders are free at once: what comes next does not wait for what they had begun.
    next_one = host.call("embed", {"audio": {"path": str(hour), "end_s": 1.0}}).result["timings"]
    assert next_one["queue_ms"] < 0.5 * alone["decode_ms"]


def test_an_hour_of_windows_is_one_request(start_light, hour):
    host = start_light(LIGHT_BATCH="8", LIGHT_EMBED_S="0.0002")
    host.wait_for_state("ready")
    params = {"audio": {"path": str(hour)}, "window_s": 1.5, "hop_s": 0.75, "progress": True}
    rss_bytes = host.call("metrics").result["rss_bytes"]
    request_id = host.request("embed_windows", params)
    result = assert_result(host.answer(request_id), "embeddings", "count")
    assert result["count"] == len(result["starts_s"]) == 4799
    assert result["starts_s"][-1] == 4798 * 0.75
    assert result["duration_s"] == 3600
    # The audio, decoded, takes 230 MB, and its windows twice as much.
    assert host.call("metrics").result["rss_bytes"] - rss_bytes < 100e6
    told = host.notices("progress")
    told = [progress for progress in told if progress.get("id") == request_id]
    assert told, "it takes longer than a quarter of a second"
    done = [progress["done"] for progress in told]
    assert done == sorted(done)
    assert {(progress["total"], progress["unit"]) for progress in told} == {(4799, "windows")}


def test_many_segments_of_an_hour_are_one_request(start_light, hour):
    host = start_light(LIGHT_EMBED_S="0")
    host.wait_for_state("ready")
    segments = [[n * 0.85, n * 0.85 + 2] for n in range(4096)]
    params = {"audio": {"path": str(hour)}, "segments": segments}
    entries = assert_result(host.call("embed_segments", params), "results")["results"]
    assert [entry["result"]["duration_s"] for entry in entries] == [2.0] * 4096
    for n in (0, 2000, 4095):
        start_s, end_s = segments[n]
        part = {"path": str(hour), "start_s": start_s, "end_s": end_s}
        alone = host.call("embed", {"audio": part}).result
        assert alone["embedding"] == entries[n]["result"]["embedding"]


def test_a_call_that_takes_long_because_its_audio_does_is_no_fault(start_light):
    host = start_light(LIGHT_EMBED_S="1", DEVICE_TIMEOUT_S="0.3")
    host.wait_for_state("ready")
    assert_result(host.call("embed", {"audio": pcm(1.0)}), "embedding")
    assert host.finish() == 0
