"""The Python host's methods, on the light sidecar: what goes in, and what comes out."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from mutations import wav
from raw_host import pcm
from unit.sound_files import encoded

from protocol.python import (
    ChildGone,
    Embedding,
    FileAudio,
    PathAudio,
    PcmAudio,
    RemoteError,
    SpeakerSidecar,
    StoredEmbedding,
    stored_embedding,
)


@pytest.fixture(scope="module")
def sidecar(light_argv):
    with SpeakerSidecar.start(light_argv) as started:
        assert started.wait_until_ready(60)["state"] == "ready"
        yield started
    assert started.process.returncode == 0


def test_an_audio_in_each_of_its_forms_is_the_same_voice(sidecar, tmp_path, monkeypatch):
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(0.5))
    monkeypatch.chdir(tmp_path)
    forms = [path, str(path), "voice.wav", PathAudio(str(path))]
    forms += [wav(0.5), FileAudio(wav(0.5)), PcmAudio(**pcm(0.5))]
    embeddings = [sidecar.embed(audio) for audio in forms]
    assert {embedding.embedding for embedding in embeddings} == {embeddings[0].embedding}
    assert all(isinstance(embedding, Embedding) for embedding in embeddings)
    [first, *_] = embeddings
    assert (len(first.embedding), first.dim, first.fingerprint) == (4, 4, "light.0")
    assert math.hypot(*first.embedding) == pytest.approx(1, abs=1e-6)
    assert first.timings["compute_ms"] >= 0


def test_options_are_passed_on(sidecar):
    audio = PcmAudio(**pcm(0.5))
    embedding = sidecar.embed(audio, normalize=False)
    assert not embedding.normalized
    assert math.hypot(*embedding.embedding) > 1.01
    with pytest.raises(RemoteError, match="deadline_exceeded"):
        sidecar.embed(audio, deadline_ms=0)


def test_one_of_a_batch_that_fails_spoils_no_other(sidecar):
    good, bad, same = sidecar.embed_batch([wav(0.5), b"no audio", PcmAudio(**pcm(0.5))])
    assert good.embedding == same.embedding
    assert isinstance(bad, RemoteError)
    assert bad.kind == "unsupported_format"


def test_windows(sidecar):
    windows = sidecar.embed_windows(PcmAudio(**pcm(1.0)), window_s=0.5, hop_s=0.25)
    assert windows.starts_s == (0.0, 0.25, 0.5)
    assert [len(numbers) for numbers in windows.embeddings] == [4, 4, 4]
    part = sidecar.embed(PcmAudio(**pcm(1.0), start_s=0.25, end_s=0.75))
    assert windows.embeddings[1] == pytest.approx(part.embedding, abs=1e-4)


def test_segments_and_their_progress(sidecar):
    audio, told = PcmAudio(**pcm(1.0)), []
    segments = [(0.25, 0.75), (0.0, 0.001), (0.5, 1.0)] * 300
    found = sidecar.embed_segments(audio, segments, on_progress=lambda *one: told.append(one))
    assert len(found) == 900
    part = sidecar.embed(PcmAudio(**pcm(1.0), start_s=0.25, end_s=0.75))
    assert {one.embedding for one in found[::3]} == {part.embedding}
    assert {one.kind for one in found[1::3]} == {"too_short"}
    assert told == sorted(told)
    assert all(0 <= done < total == 900 for done, total in told)
    assert told, "600 of at least a millisecond take longer than two reports"


def test_who_speaks_when(sidecar, tmp_path):
    # The light segmenter hears people by how loud they are.
    path = tmp_path / "two.wav"
    noise = np.random.default_rng(0).standard_normal(4 * 16_000)
    sound = noise * np.repeat([0.05, 0.2], 2 * 16_000)
    path.write_bytes(encoded("WAV", samples=sound.astype("<f4")))
    told = sidecar.diarize(path, n_speakers=2)
    first, second = told.turns
    assert (first.speaker, second.speaker) == ("S1", "S2")
    assert first.end_s == pytest.approx(second.start_s) == pytest.approx(2, abs=0.05)
    assert [len(speaker.embedding) for speaker in told.speakers] == [4, 4]
    assert (told.dim, told.fingerprint, told.duration_s) == (4, "light.0", 4)


def test_scores_of_audios_and_of_kept_embeddings(sidecar):
    embedding = sidecar.embed(wav(0.5))
    packed = struct.pack("<4f", *embedding.embedding)
    kept = json.loads(json.dumps([embedding.embedding, embedding.fingerprint]))
    assert stored_embedding(*kept) == StoredEmbedding(packed, embedding.fingerprint)
    for voice in (wav(0.5), embedding, stored_embedding(*kept)):
        score = sidecar.score(embedding, voice)
        assert score.cosine == pytest.approx(1, abs=1e-6)
        assert score.fingerprint == "light.0"


def test_reports(sidecar):
    assert sidecar.health_report()["state"] == "ready"
    assert sidecar.metrics()["outcomes"]["ok"] > 0
    assert sidecar.hello["protocol"] == 1


def test_a_child_that_is_gone_refuses_at_once(light_argv):
    sidecar = SpeakerSidecar.start(light_argv)
    assert sidecar.close() == 0
    with pytest.raises(ChildGone, match="gone: it ended with exit code 0"):
        sidecar.embed(wav(0.1))


def test_a_childs_own_limit_of_a_frame(light_argv):
    with SpeakerSidecar.start([*light_argv, "--max-frame-mib", "1"]) as small:
        small.wait_until_ready(60)
        with pytest.raises(ValueError, match="at most 1048576: pass a path"):
            small.embed(bytes(2**21))
        assert small.embed(wav(0.1)).dim == 4
    with SpeakerSidecar.start([*light_argv, "--max-frame-mib", "128"]) as large:
        large.wait_until_ready(60)
        with pytest.raises(RemoteError, match="unsupported_format"):
            large.embed(bytes(65 * 2**20))


def test_a_stream_and_what_is_told_of_it(sidecar):
    # To the light segmenter, who speaks is how loud it is.
    noise = np.random.default_rng(0).standard_normal(4 * 16_000)
    silence = np.zeros(16_000)
    parts = [silence, 0.05 * noise, silence, 0.2 * noise, silence[:8_100]]
    told, levels = [], []
    with sidecar.live(
        sample_rate_hz=16_000,
        start_s=100,
        detail="levels",
        on_turn=told.append,
        on_level=levels.append,
    ) as live:
        for part in parts:
            pushed = live.push(part.astype("<f4"))
        assert pushed.received_s == pytest.approx(10.50625)
        found = live.close(n_speakers=2)
    # Where a sound begins or ends, a frame may sound like somebody else.
    turns = [turn for turn in found.turns if turn.end_s - turn.start_s > 0.1]
    assert [turn.start_s for turn in turns] == pytest.approx([101, 106], abs=0.05)
    assert [speaker.label for speaker in found.speakers] == ["S1", "S2"]
    assert all(turn.final for turn in live.turns)
    assert [turn.start_s for turn in live.turns if turn.speaker] == pytest.approx(
        [101, 106], abs=0.3
    )
    assert len(told) > len(live.turns)
    assert len(levels) == 43
    with pytest.raises(RemoteError, match="unknown_stream"):
        live.push(b"")
