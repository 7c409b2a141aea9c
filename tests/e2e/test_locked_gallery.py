"""Another process writes to the gallery, on and on: what changes it waits, and nothing else."""

from __future__ import annotations

import os

import numpy as np
import pytest
from locked_gallery import locked
from raw_host import assert_error, assert_result

VOICE = {
    "embedding": np.arange(1, 5, dtype="<f4").tobytes(),
    "fingerprint": "light.0",
    "speech_s": 5.0,
}
FORMAT = {"sample_rate_hz": 16_000, "encoding": "f32le"}
SPEECH = (0.05 * np.random.default_rng(0).standard_normal(64_000)).astype("<f4").tobytes()


@pytest.fixture
def gallery(tmp_path):
    return tmp_path / "people.db"


@pytest.fixture
def host(start_light, gallery):
    """A light sidecar, in whose gallery is one person."""
    host = start_light("--gallery", os.fspath(gallery))
    host.wait_for_state("ready")
    assert_result(host.call("enroll", {"name": "Anna", "embeddings": [VOICE]}))
    return host


def test_who_asks_waits_for_no_change(host, gallery):
    with locked(gallery):
        change = host.request("enroll", {"name": "Ben", "embeddings": [VOICE]})
        host.wait_until_queued(0)
        [best] = assert_result(host.call("identify", {"audio": VOICE}), "matches")["matches"]
        assert best["name"] == "Anna"
        assert len(assert_result(host.call("people"), "people")["people"]) == 1
        stream = assert_result(host.call("stream_open", {**FORMAT, "identify": True}))["stream"]
        assert_result(host.call("stream_push", {"stream": stream, "pcm": SPEECH}))
        closed = assert_result(host.call("stream_close", {"stream": stream}), "speakers")
        assert [speaker["label"] for speaker in closed["speakers"]] == ["S1"]
        assert [told["stream"] for told in host.notices("stream_turn") if told["final"]] == [stream]
        assert host.answers_to(change) == [], "it was not waiting any more"
    assert assert_result(host.answer(change), "name")["name"] == "Ben"
    # Whoever looks after the answer sees what it tells of.
    assert len(assert_result(host.call("people"), "people")["people"]) == 2
    assert len(assert_result(host.call("identify", {"audio": VOICE}), "matches")["matches"]) == 2
    assert host.finish() == 0
    assert [path.name for path in gallery.parent.iterdir()] == [gallery.name]


def test_what_is_forgotten_is_gone_from_the_file_though_others_looked(host, gallery):
    [anna] = host.call("people").result["people"]
    assert_result(host.call("identify", {"audio": VOICE}), "matches")
    assert b"Anna" in b"".join(path.read_bytes() for path in gallery.parent.iterdir())
    assert_result(host.call("forget_person", {"id": anna["id"]}))
    assert b"Anna" not in b"".join(path.read_bytes() for path in gallery.parent.iterdir())
    assert assert_result(host.call("identify", {"audio": VOICE}), "matches")["matches"] == []
    answer = host.call("person", {"id": anna["id"]})
    assert_error(answer, -32013, "unknown_person")


def test_a_gallery_in_memory_is_one_for_all_who_ask(start_light):
    host = start_light()
    host.wait_for_state("ready")
    assert_result(host.call("people"), "people")
    assert_result(host.call("enroll", {"name": "Anna", "embeddings": [VOICE]}))
    [best] = assert_result(host.call("identify", {"audio": VOICE}), "matches")["matches"]
    assert best["name"] == "Anna"
