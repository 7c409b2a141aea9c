"""Real speech through the real process: what ``speech`` does to the embeddings of CAM++."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile
from model.no_speech import made

from protocol.params import EmbedParams, PathAudio, PcmAudio, SpeechParams
from protocol.python import RemoteError, SpeakerSidecar

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def client(sidecar_argv):
    with SpeakerSidecar.start([*sidecar_argv, "--log-level", "warning"]) as client:
        client.wait_until_ready()
        yield client
    assert client.process.returncode == 0


@pytest.fixture(scope="module")
def utterances(shared):
    """Six seconds, or less, of each."""
    paths = sorted((shared / "audio" / "librispeech").glob("*/*.flac"))
    return [soundfile.read(path, dtype="float32", frames=6 * RATE_HZ)[0] for path in paths]


def pcm_of(samples):
    return PcmAudio(samples.astype("<f4").tobytes(), "f32le", RATE_HZ, 1)


def embed(client, audio, speech):
    result = client.call(EmbedParams(audio, speech=speech))
    return np.frombuffer(result["embedding"], "<f4"), result


def behind_silence(samples, n_samples):
    silence = 2e-5 * np.random.default_rng(0).standard_normal(n_samples)
    return np.concatenate([silence, samples]).astype(np.float32)


def test_behind_half_a_minute_of_silence_the_speech_is_what_it_is_alone(client, utterances):
    found = []
    for samples in utterances[::5]:
        behind, _ = embed(client, pcm_of(behind_silence(samples, 30 * RATE_HZ + 123)), "auto")
        for speech in ("auto", "all"):
            alone, _ = embed(client, pcm_of(samples), speech)
            found.append(float(alone @ behind))
    print(f"cosine: lowest {min(found):.4f}, mean {np.mean(found):.4f}")
    assert min(found) >= 0.99


def test_what_is_no_speech_has_no_embedding(client, speech_detector_network):
    for name, samples in made().items():
        with pytest.raises(RemoteError) as caught:
            embed(client, pcm_of(samples), "auto")
        assert caught.value.kind == "no_speech", name
        _, result = embed(client, pcm_of(samples), "all")
        assert result["quality"]["speech_s"] == 0, name


def test_the_middle_second_of_the_speech_tells_more_than_that_of_the_audio(client, shared):
    """That of the audio: 3.1 %, see ``test_speech.py``."""
    from e2e.test_speech import equal_error_rate

    embeddings, speakers = [], []
    for path in sorted((shared / "audio" / "librispeech").glob("*/*.flac")):
        segments = client.call(SpeechParams(PathAudio(os.fspath(path))))["segments"]
        samples, _ = soundfile.read(path, dtype="float32")
        parts = [samples[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in segments]
        speech = np.concatenate(parts)
        start = max(0, len(speech) // 2 - RATE_HZ // 2)
        middle = pcm_of(speech[start : start + RATE_HZ])
        embeddings.append(embed(client, middle, "all")[0].astype(np.float64))
        speakers.append(path.parent.name)
    error_rate = equal_error_rate(np.stack(embeddings), speakers)
    print(f"EER over the middle seconds of the speech: {100 * error_rate:.2f} %")
    assert error_rate <= 0.014
