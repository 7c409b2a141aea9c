"""Real speech through the real process: the official implementation's embeddings come out."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile

from protocol.params import EmbedParams, PathAudio
from protocol.python import SpeakerSidecar

SPEECH = "audio/librispeech"
MIN_COSINE = 0.99999


@pytest.fixture(scope="module")
def client(sidecar_argv):
    with SpeakerSidecar.start([*sidecar_argv, "--log-level", "warning"]) as client:
        client.wait_until_ready()
        yield client
    assert client.process.returncode == 0


@pytest.fixture(scope="module")
def reference(shared):
    """The names of the utterances, and their embeddings as the network gives them."""
    with np.load(shared / "reference" / "campplus_zh_en.npz") as archive:
        names, embeddings = archive["names"].tolist(), archive["embeddings"].astype(np.float64)
    assert len(names) == 50
    return names, embeddings


def embed_all(client, audios, *, normalize):
    """Embeddings, shape (len(audios), dim), asked for all at once."""
    sent = [client.send(EmbedParams(audio, normalize=normalize))[1] for audio in audios]
    results = [future.result(300) for future in sent]
    assert {result["normalized"] for result in results} == {normalize}
    assert len({result["fingerprint"] for result in results}) == 1
    return np.stack([np.frombuffer(result["embedding"], "<f4") for result in results]).astype(
        np.float64
    )


@pytest.fixture(scope="module")
def embeddings(client, shared, reference):
    names, _ = reference
    audios = [PathAudio(os.fspath(shared / SPEECH / name)) for name in names]
    return embed_all(client, audios, normalize=False)


def cosines(a, b):
    """Row by row."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / norms


def equal_error_rate(embeddings, speakers):
    """The rate at which as many strangers are accepted as speakers are refused, over all pairs."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    scores = (unit[first] * unit[second]).sum(axis=1)
    speakers = np.array(speakers)
    is_target = speakers[first] == speakers[second]
    assert len(scores) == 1225
    thresholds = np.sort(scores)
    refused = np.searchsorted(np.sort(scores[is_target]), thresholds) / is_target.sum()
    accepted = 1 - np.searchsorted(np.sort(scores[~is_target]), thresholds) / (~is_target).sum()
    nearest = np.argmin(np.abs(refused - accepted))
    return (refused[nearest] + accepted[nearest]) / 2


def test_every_embedding_is_the_reference(embeddings, reference):
    _, wanted = reference
    found = cosines(embeddings, wanted)
    print(f"cosine to the reference: lowest {found.min():.8f}")
    assert found.min() >= MIN_COSINE
    # Their lengths are the network's too.
    ratios = np.linalg.norm(embeddings, axis=1) / np.linalg.norm(wanted, axis=1)
    assert np.abs(ratios - 1).max() < 1e-3


def test_what_tells_them_apart_is_the_reference_too(embeddings, reference):
    """What all have in common would hide a difference, so each set's mean is subtracted."""
    _, wanted = reference
    found = cosines(embeddings - embeddings.mean(axis=0), wanted - wanted.mean(axis=0))
    print(f"cosine to the reference, means subtracted: lowest {found.min():.8f}")
    assert found.min() >= MIN_COSINE


def test_whole_utterances_tell_all_speakers_apart(embeddings, reference):
    names, _ = reference
    assert equal_error_rate(embeddings, [name.split("/")[0] for name in names]) == 0


def test_the_middle_second_of_each(client, shared, reference):
    """``start_s`` and ``end_s`` cut as the field's evaluation does; all answers at unit length."""
    names, _ = reference
    audios = []
    for name in names:
        path = shared / SPEECH / name
        middle_s = soundfile.info(path).duration / 2
        audios.append(PathAudio(os.fspath(path), middle_s - 0.5, middle_s + 0.5))
    embeddings = embed_all(client, audios, normalize=True)
    assert np.abs(np.linalg.norm(embeddings, axis=1) - 1).max() < 1e-6
    error_rate = equal_error_rate(embeddings, [name.split("/")[0] for name in names])
    print(f"EER over the middle seconds: {100 * error_rate:.2f} %")
    assert error_rate == pytest.approx(0.031, abs=0.002)
