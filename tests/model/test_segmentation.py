"""The segmentation network against pyannote's own, and as ONNX Runtime runs it against torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

import torch

from protocol.errors import ModelUnavailable
from sidecar.engine import segmentation as engine
from sidecar.engine.segmentation_conversion import convert
from sidecar.networks import segmentation
from sidecar.store.catalog import SEGMENTATION
from sidecar.store.weights import WeightStore, default_models_dir


@pytest.fixture(scope="module")
def weights():
    try:
        [path] = WeightStore(default_models_dir()).ensure(SEGMENTATION).values()
    except ModelUnavailable as error:
        pytest.skip(error.message)
    return path


@pytest.fixture(scope="module")
def network(weights):
    return segmentation.load(weights)


@pytest.fixture(scope="module")
def chunks(shared):
    samples, _ = soundfile.read(shared / "audio/conversations/interview-2.flac", dtype="float32")
    return [samples[start : start + engine.CHUNK_SAMPLES] for start in (0, 64_000, 160_000)]


def heard(network, samples):
    with torch.inference_mode():
        return network(torch.from_numpy(samples)[None])[0].exp().numpy()


def test_it_is_pyannotes(network, chunks):
    # Made by make_segmentation_reference.py, with pyannote.audio itself.
    with np.load(Path(__file__).with_name("segmentation_reference.npz")) as kept:
        expected, step = kept["probabilities"], int(kept["every"])
    for samples, frames in zip(chunks, expected, strict=True):
        assert np.abs(heard(network, samples)[::step] - frames).max() <= 1e-5


@pytest.mark.parametrize("n_samples", [2_000, 16_000, 48_123, 160_000])
def test_the_number_of_frames_is_known(network, n_samples):
    frames = heard(network, np.zeros(n_samples, np.float32))
    assert frames.shape == (segmentation.count_frames(n_samples), len(segmentation.POWERSET))


def test_onnx_runtime_hears_what_torch_does(weights, network, chunks, tmp_path):
    steps = []
    origin = engine.converted_origin("segmentation.test")
    made = convert(weights, tmp_path, origin, lambda *step: steps.append(step))
    assert steps == [(n, 3) for n in range(4)]
    segmenter = engine.Segmenter(made)
    for samples in chunks:
        difference = np.abs(np.exp(segmenter.hear(samples)) - heard(network, samples)).max()
        assert difference <= 1e-4
    assert segmenter.hear(chunks[0][:16_000]).shape == (589, 7)


def test_a_network_that_hears_something_else_does_not_serve(weights, tmp_path):
    made = convert(weights, tmp_path, engine.converted_origin("other"), lambda *_: None)
    references = made.folder / "references.f64"
    references.write_bytes(np.zeros(references.stat().st_size // 8).tobytes())
    with pytest.raises(engine.DeviceError, match="something else than torch"):
        engine.Segmenter(made)
