"""The detector on real speech and on what is none, beside the package that it comes from."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from model.measure_speech import accuracy_of, labelled, ours
from model.no_speech import made

from sidecar.engine.onnx_library import ort
from sidecar.speech.detector import SpeechDetector
from sidecar.speech.network import GRAPH, WEIGHT_SHAPES, folded, weights
from sidecar.speech.segments import STEP_SAMPLES

MAX_DIFFERENCE = 1e-5


def samples_of(path, most_s=60):
    samples, rate_hz = soundfile.read(path, dtype="float32", frames=most_s * 16_000)
    assert rate_hz == 16_000
    return samples if samples.ndim == 1 else np.ascontiguousarray(samples[:, 0])


@pytest.fixture(scope="module")
def recordings(shared):
    """Of every kind: labelled, noise, conversations, readings."""
    audio = shared / "audio"
    paths = [
        *sorted((audio / "speech_or_not").glob("*.flac")),
        *sorted((audio / "conversations").glob("*.flac"))[::3],
        *sorted((audio / "librispeech").glob("*/*.flac"))[::10],
    ]
    return {path.name: samples_of(path) for path in paths}


def test_it_hears_what_the_package_hears(recordings, speech_detector_network):
    torch = pytest.importorskip("torch")
    silero_vad = pytest.importorskip("silero_vad")
    peer = silero_vad.load_silero_vad(onnx=True)
    n_segments = 0
    for name, samples in recordings.items():
        segments, probabilities, _ = ours(samples)
        tensor = torch.from_numpy(samples)
        theirs = peer.audio_forward(tensor[None], 16_000)[0].numpy()
        assert np.abs(probabilities - theirs).max() <= MAX_DIFFERENCE, name
        found = silero_vad.get_speech_timestamps(tensor, peer)
        assert segments == [(one["start"], one["end"]) for one in found], name
        n_segments += len(segments)
    assert n_segments > 100


def test_written_out_it_is_the_published_network(speech_detector_network):
    options = ort.SessionOptions()
    given = weights(speech_detector_network)
    assert {name: one.shape for name, one in given.items()} == dict(WEIGHT_SHAPES)
    values = [ort.OrtValue.ortvalue_from_numpy(one) for one in given.values()]
    options.add_external_initializers(list(given), values)
    ours = ort.InferenceSession(GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"])
    published = ort.InferenceSession(
        str(speech_detector_network), providers=["CPUExecutionProvider"]
    )
    random = np.random.default_rng(0)
    for n_steps, level in ((1, 0.1), (2, 1e-4), (300, 0.3)):
        steps = level * random.standard_normal((n_steps, 576)).astype(np.float32)
        sums, differences = folded(steps)
        memory = {name: random.uniform(-1, 1, (1, 1, 128)).astype(np.float32) for name in "hc"}
        made = ours.run(None, {"sums": sums, "differences": differences} | memory)
        theirs = published.run(None, {"input": steps} | memory)
        for one, other in zip(made, theirs, strict=True):
            assert one.shape == other.shape
            # The memory has values of a hundred.
            np.testing.assert_allclose(one, other, rtol=MAX_DIFFERENCE, atol=MAX_DIFFERENCE)


def test_pieces_of_any_length_are_what_the_whole_is(recordings, speech_detector_network):
    detector = SpeechDetector(speech_detector_network)
    samples = next(iter(recordings.values()))
    [whole, n_steps] = [detector.listen().feed(samples), len(samples) // STEP_SAMPLES]
    for n_samples in (100, 512, 5_000, 160_000):
        listening = detector.listen()
        pieces = np.split(samples, range(n_samples, len(samples), n_samples))
        heard = np.concatenate([listening.feed(piece) for piece in pieces])
        assert (heard == whole[:n_steps]).all()


@pytest.mark.parametrize("what", made())
def test_what_is_no_speech_is_none(what, speech_detector_network):
    assert ours(made()[what])[0] == []


@pytest.mark.parametrize("name", ["noise-1", "noise-2", "noise-3"])
def test_recorded_noise_is_none(name, shared, speech_detector_network):
    assert ours(samples_of(shared / "audio" / "speech_or_not" / f"{name}.flac"))[0] == []


@pytest.mark.parametrize("level", [1e-3, 1.0, 1e3, 1e6])
def test_any_level_that_is_accepted_gives_probabilities(level, speech_detector_network):
    noise = np.clip(level * np.random.default_rng(0).standard_normal(160_000), -1e6, 1e6)
    probabilities = ours(noise.astype(np.float32))[1]
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_labelled_recordings_are_heard_as_people_hear_them(shared, speech_detector_network):
    right, precision, recall, f1, area, _ = accuracy_of(ours, list(labelled()))
    assert right > 0.90
    assert precision > 0.90
    assert recall > 0.97
    assert f1 > 0.935
    assert area > 0.955
