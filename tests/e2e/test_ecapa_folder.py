"""A folder in SpeechBrain's layout as the model, through the real process."""

from __future__ import annotations

import os
import subprocess
import time

import numpy as np
import pytest
from bundle_under_test import EDITION

from protocol.params import EmbedParams, PathAudio, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.program import sidecar_argv


@pytest.fixture(scope="module")
def folder(request):
    pytest.importorskip("torch")
    if EDITION == "cpu":
        pytest.skip("the cpu edition serves the models that it carries, and no folder")
    return request.getfixturevalue("ecapa_folder")


@pytest.fixture(scope="module")
def client(folder, tmp_path_factory):
    argv = [*sidecar_argv(), "serve", "--model", str(folder), "--offline", "--threads", "1"]
    argv += ["--models-dir", str(tmp_path_factory.mktemp("models"))]
    with SpeakerSidecar.start(argv) as started:
        started.wait_until_ready(timeout_s=300)  # it converts
        yield started


def test_the_report_names_the_folder(client, folder):
    model = client.health["model"]
    assert model["id"] == folder.name
    assert model["fingerprint"].startswith("ecapa.")
    assert model["source"] == str(folder / "embedding_model.ckpt")
    assert client.health["device"]["self_test"]["passed"]


def test_embeddings_over_the_wire_are_the_networks(client, folder):
    torch = pytest.importorskip("torch")
    from sidecar.networks import ecapa

    samples = np.random.default_rng(0).normal(0, 0.1, 20_000).astype("<f4")
    audio = PcmAudio(samples.tobytes(), "f32le", 16_000, 1)
    result = client.call(EmbedParams(audio, normalize=False))
    with torch.inference_mode():
        expected = ecapa.load(folder / "embedding_model.ckpt")(torch.from_numpy(samples)[None])[0]
    found = np.frombuffer(result["embedding"], "<f4")
    assert np.allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_real_speech_of_one_speaker_is_nearer_than_that_of_two(client, shared):
    folder = shared / "audio" / "librispeech"
    names = ["1688-142285-0000", "1688-142285-0001", "1998-15444-0000"]
    paths = [str(folder / name.partition("-")[0] / f"{name}.flac") for name in names]
    a, b, c = (
        np.frombuffer(client.call(EmbedParams(PathAudio(path)))["embedding"], "<f4")
        for path in paths
    )
    assert a @ b > a @ c  # seeded weights tell little, but they are no constant either


@pytest.mark.skipif(EDITION is not None, reason="a bundle has its default model inside")
def test_without_a_network_the_default_model_says_what_to_do(tmp_path):
    refusing = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "HTTPS_PROXY": refusing,
        "https_proxy": refusing,
        "SPEAKER_SIDECAR_MODELS_DIR": str(tmp_path),
    }
    started_at = time.perf_counter()
    client = SpeakerSidecar.start(
        [*sidecar_argv(), "serve"], stderr=subprocess.DEVNULL, env=environment
    )
    code = client.process.wait(60)
    client.close()
    print(f"failed after {time.perf_counter() - started_at:.1f} s: {client.health['reason']}")
    assert code == 69
    assert client.health["state"] == "failed"
    assert str(tmp_path / "ecapa-voxceleb" / "embedding_model.ckpt") in client.health["reason"]
    assert (
        "0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2"
        in (client.health["reason"])
    )
