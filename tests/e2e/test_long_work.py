"""Long work never stands in the way: samples that need no decoding pass every file."""

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


def last_second(path):
    return {"audio": {"path": str(path), "start_s": 3599.0}}


def test_samples_pass_files_that_are_being_decoded(start_light, hour):
    host = start_light()
    host.wait_for_state("ready")
    files = [host.request("embed", last_second(hour)) for _ in range(4)]
    samples = host.request("embed", {"audio": pcm(0.1)})
    assert_result(host.answer(samples), "embedding")
    assert not any(host.answers_to(file) for file in files)
    for file in files:
        assert_result(host.answer(file), "embedding")


def test_a_file_that_nobody_wants_any_more_is_not_decoded_to_its_end(start_light, hour):
    host = start_light()
    host.wait_for_state("ready")
    alone = host.call("embed", last_second(hour)).result["timings"]["decode_ms"]
    files = [host.request("embed", last_second(hour)) for _ in range(20)]
    host.wait_until_queued(18)
    for file in files:
        host.cancel(file)
    for file in files:
        assert_error(host.answer(file), -32800, "cancelled")
    # Both decoders are free at once: what comes next does not wait for what they had begun.
    queue_ms = host.call("embed", {"audio": {"path": str(hour), "end_s": 1.0}}).result["timings"]
    assert queue_ms["queue_ms"] < 0.5 * alone
