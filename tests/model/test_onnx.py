"""Networks converted for ONNX Runtime against torch's own."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import psutil
import pytest
import soundfile
from model.converted_networks import (
    LENGTHS,
    MIN_COSINE,
    converted_network,
    cosine,
    noise,
    with_torch,
)

from sidecar.engine import device_check

pytest.importorskip("torch")
# Not "onnxruntime" itself, which would tell its makers.
pytest.importorskip("sidecar.engine.onnx_library")

from sidecar.engine.loading import ONNX_VERSION
from sidecar.engine.onnx_runtime import OnnxRuntime


@pytest.fixture(scope="module", params=["ecapa", "campplus"])
def model(request, tmp_path_factory):
    return converted_network(
        request, tmp_path_factory.mktemp("models"), "onnxruntime", ONNX_VERSION
    )


@pytest.fixture(scope="module")
def runtime(model):
    return OnnxRuntime(model.converted, 1)


def test_it_is_found_where_it_was_placed(model):
    assert model.found == model.converted
    assert model.steps == [(n, 5) for n in range(6)]
    assert not list(model.converted.folder.parent.glob(".convert-*"))


def test_the_reference_is_torchs_in_float64(model, runtime):
    references = model.converted.references()
    assert references.dtype == np.float64
    for reference, waveform in zip(references, device_check.waveforms(), strict=True):
        assert cosine(reference, with_torch(model, waveform)) > 1 - 1e-9
    assert device_check.compare(runtime.embed(device_check.waveforms()), references).passed


@pytest.mark.parametrize("n_samples", LENGTHS)
def test_noise_of_any_length_gets_the_embedding_of_torch(model, runtime, n_samples):
    waveform = noise(n_samples, seed=n_samples)
    [embedding] = runtime.embed([waveform])
    expected = with_torch(model, waveform)
    assert embedding.shape == expected.shape
    assert embedding.dtype == np.float32
    assert cosine(embedding, expected) >= MIN_COSINE
    assert np.linalg.norm(embedding) == pytest.approx(np.linalg.norm(expected), rel=1e-3)


def test_real_speech_gets_the_embedding_of_torch(model, runtime, shared):
    paths = sorted((shared / "audio" / "librispeech").rglob("*.flac"))[::7]
    worst = 1.0
    for path in paths:
        waveform, _ = soundfile.read(path, dtype="float32")
        worst = min(worst, cosine(runtime.embed([waveform])[0], with_torch(model, waveform)))
    print(f"{model.name}: cosine to torch's at least {worst:.12f}")
    assert worst >= MIN_COSINE


@pytest.mark.parametrize(
    "lengths", [[16_000, 800, 40_000, 16_000], [24_000] * 4], ids=["mixed", "windows"]
)
def test_each_of_several_is_as_it_is_alone(runtime, lengths):
    waveforms = [noise(n, seed=i) for i, n in enumerate(lengths)]
    together = runtime.embed(waveforms)
    assert together.shape == (4, 192)
    for embedding, waveform in zip(together, waveforms, strict=True):
        [alone] = runtime.embed([waveform])
        assert np.abs(embedding - alone).max() <= 1e-5 * np.linalg.norm(alone)


def test_waveforms_that_cannot_be_written_in_are_taken(runtime):
    waveform = np.frombuffer(noise(16_000).tobytes(), "<f4")
    assert np.array_equal(runtime.embed([waveform])[0], runtime.embed([noise(16_000)])[0])


def test_a_rest_changes_nothing_but_the_memory(runtime):
    process = psutil.Process()
    expected = runtime.embed([noise(160_000)])
    before = process.memory_info().rss
    runtime.rest()
    print(f"{(before - process.memory_info().rss) / 2**20:.0f} MiB given back")
    assert process.memory_info().rss < before
    assert np.array_equal(runtime.embed([noise(160_000)]), expected)


def test_many_lengths_do_not_pile_up(runtime):
    process = psutil.Process()
    lengths = np.random.default_rng(0).permutation(np.arange(8000, 24_000, 160))
    for n_samples in lengths[:20]:
        runtime.embed([noise(n_samples)])
    before = process.memory_info().rss
    for n_samples in lengths[20:]:
        runtime.embed([noise(n_samples)])
    grown_mib = (process.memory_info().rss - before) / 2**20
    print(f"{len(lengths) - 20} new lengths: {grown_mib:.0f} MiB")
    assert grown_mib < 20


# ---- Its makers are told nothing ----

REPORTS = """
import {module}
import numpy, sys
session = {name}.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
[waveforms] = session.get_inputs()
session.run(None, {{waveforms.name: numpy.zeros((1, 16_000), numpy.float32)}})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where it keeps its name is known for Linux")
@pytest.mark.parametrize(
    ("module", "name", "tells"),
    [
        ("onnxruntime", "onnxruntime", True),
        ("sidecar.engine.onnx_library", "sidecar.engine.onnx_library.ort", False),
    ],
)
def test_its_makers_are_told_nothing(model, tmp_path, module, name, tells):
    """By its own name it leaves a name for this machine in the home folder; by ours it does not."""
    # It is silent where it believes to be tested.
    silencing = {"CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"}
    environment = {key: value for key, value in os.environ.items() if key not in silencing}
    environment |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        environment.pop(variable, None)
    code = REPORTS.format(module=module, name=name)
    subprocess.run(
        [sys.executable, "-c", code, str(model.converted.network)],
        env=environment,
        check=True,
        capture_output=True,
    )
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    if tells and not left:
        pytest.skip("this release tells nothing, or not in this way")
    assert bool(left) == tells
