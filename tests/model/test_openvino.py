"""Converted networks against torch's own."""

from __future__ import annotations

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
# Not "openvino" itself, which would tell its makers.
pytest.importorskip("sidecar.engine.openvino_library")

from sidecar.engine.openvino_library import VERSION, ov
from sidecar.engine.openvino_runtime import OpenVinoRuntime

MIN_BF16_COSINE = 0.99


@pytest.fixture(scope="module", params=["ecapa", "campplus"])
def model(request, tmp_path_factory):
    return converted_network(request, tmp_path_factory.mktemp("models"), "openvino", VERSION)


@pytest.fixture(scope="module")
def runtime(model):
    return OpenVinoRuntime(model.converted, 1, "f32")


def test_it_is_found_where_it_was_placed(model):
    assert model.found == model.converted
    assert model.steps == [(n, 5) for n in range(6)]
    assert not list(model.converted.folder.parent.glob(".convert-*"))


def test_weights_are_kept_as_they_are(model):
    """Not halved to f16, which OpenVINO's ``save_model`` does unless it is told otherwise."""
    network = ov.Core().read_model(model.converted.second)
    types = {op.get_element_type().get_type_name() for op in network.get_ops() if _is_large(op)}
    assert types == {"f32"}


def _is_large(op):
    return op.get_type_name() == "Constant" and op.get_output_size() and op.data.size > 1000


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
    for path in paths:
        waveform, _ = soundfile.read(path, dtype="float32")
        assert cosine(runtime.embed([waveform])[0], with_torch(model, waveform)) >= MIN_COSINE


def test_each_of_several_is_as_it_is_alone(runtime):
    waveforms = [noise(n, seed=n) for n in (16_000, 800, 40_000, 16_000)]
    together = runtime.embed(waveforms)
    assert together.shape == (4, 192)
    for embedding, waveform in zip(together, waveforms, strict=True):
        [alone] = runtime.embed([waveform])
        assert np.abs(embedding - alone).max() <= 1e-5 * np.linalg.norm(alone)


def test_waveforms_that_cannot_be_written_in_are_taken(runtime):
    waveform = np.frombuffer(noise(16_000).tobytes(), "<f4")
    assert np.array_equal(runtime.embed([waveform])[0], runtime.embed([noise(16_000)])[0])


def test_what_it_runs_with_is_as_asked(model, runtime):
    assert (runtime.name, runtime.device, runtime.n_threads) == ("openvino", "cpu", 1)
    assert runtime.precision == "f32"
    assert runtime._second.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert runtime._second.get_property("INFERENCE_NUM_THREADS") == 1
    assert runtime._second.get_property("NUM_STREAMS") == 1


def test_bf16_is_near(model):
    wished = OpenVinoRuntime(model.converted, 1, "bf16")
    has_bf16 = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert wished.precision == ("bf16" if has_bf16 else "f32")
    first = wished._first_request.get_compiled_model()
    assert first.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    if not has_bf16:
        pytest.skip("this CPU has no bf16 instructions")
    found = [
        cosine(wished.embed([noise(n)])[0], with_torch(model, noise(n))) for n in (8000, 48_000)
    ]
    print(f"bf16: cosines {found}")
    assert MIN_BF16_COSINE <= min(found) < 1 - 1e-7


def test_bf16_moves_no_score_by_more_than_0_02(model, shared, ecapa_weights):
    """On real speech: whole utterances, and their middle second."""
    runtimes = [OpenVinoRuntime(model.converted, 1, precision) for precision in ("f32", "bf16")]
    if runtimes[1].precision != "bf16":
        pytest.skip("this CPU has no bf16 instructions")
    paths = sorted((shared / "audio" / "librispeech").rglob("*.flac"))
    whole = [soundfile.read(path, dtype="float32")[0] for path in paths]
    middle = [speech[len(speech) // 2 - 8000 :][:16_000] for speech in whole]
    for part, waveforms in (("whole", whole), ("middle second", middle)):
        exact, rounded = (scores(runtime, waveforms) for runtime in runtimes)
        moved = np.abs(rounded - exact).max()
        print(f"bf16, {part}: no score moves by more than {moved:.4f}")
        assert moved <= 0.02


def scores(runtime, waveforms):
    """The cosine of each pair."""
    embeddings = np.concatenate([runtime.embed([waveform]) for waveform in waveforms])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(len(unit), k=1)]


def test_a_rest_changes_nothing_but_the_memory(model, runtime):
    process = psutil.Process()
    expected = runtime.embed([noise(160_000)])
    before = process.memory_info().rss
    runtime.rest()
    given_back = before - process.memory_info().rss
    print(f"{given_back / 2**20:.0f} MiB given back")
    assert given_back > (20 * 2**20 if model.converted.folder.name.startswith("ecapa") else 0)
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
    assert grown_mib < 80  # without a bound, 200 to 400


def test_a_kept_compilation_is_used_and_a_damaged_one_is_not(model, monkeypatch):
    monkeypatch.setattr("sidecar.engine.openvino_runtime._SLOW_COMPILE_S", 0)
    monkeypatch.setattr("sidecar.engine.openvino_runtime._MAX_COMPILED", 2)
    waveform = noise(16_000)
    expected = OpenVinoRuntime(model.converted, 2, "f32").embed([waveform])[0]
    folder = model.converted.folder / "compiled"
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    compiles = []
    compile_model = ov.Core.compile_model

    def counted(self, network, *rest):
        compiles.append(network)
        return compile_model(self, network, *rest)

    monkeypatch.setattr(ov.Core, "compile_model", counted)
    again = OpenVinoRuntime(model.converted, 2, "f32")
    assert len(compiles) == 1  # the first half
    assert cosine(again.embed([waveform])[0], expected) >= MIN_COSINE
    newest.write_bytes(newest.read_bytes()[:-1])
    OpenVinoRuntime(model.converted, 2, "f32")
    assert len(compiles) == 3  # both
    OpenVinoRuntime(model.converted, 3, "f32")
    assert len(list(folder.iterdir())) <= 2
