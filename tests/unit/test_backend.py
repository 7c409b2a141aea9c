from __future__ import annotations

import os

import numpy as np
import pytest

from protocol.errors import BadAudio, InvalidParams, ModelUnavailable
from protocol.params import EmbedParams, EmbedWindowsParams, PcmAudio
from sidecar.backend import SpeechBackend, environment
from sidecar.config import Config
from sidecar.models.catalog import MODELS


def audio_of(seconds, **crop):
    samples = np.linspace(-0.5, 0.5, round(16_000 * seconds), dtype="<f4")
    return PcmAudio(samples.tobytes(), "f32le", 16_000, 1, **crop)


@pytest.fixture
def backend():
    made = SpeechBackend(Config())
    made._card = MODELS["campplus-zh-en"]
    return made


def test_an_audio_is_one_waveform(backend):
    audio = audio_of(0.5)
    [decoded] = backend.decode(audio, EmbedParams(audio))
    assert (decoded.n_samples, decoded.start_sample) == (8000, 0)
    assert len(decoded.waveform.samples) == 8000


def test_windows_are_cut_from_one_waveform(backend):
    audio = audio_of(1.2)
    windows = backend.decode(audio, EmbedWindowsParams(audio, window_s=0.5, hop_s=0.5))
    assert [(w.start_sample, w.n_samples) for w in windows] == [
        (0, 8000),
        (8000, 8000),
        (11200, 8000),
    ]
    whole = np.frombuffer(audio.pcm, "<f4")
    for window in windows:
        expected = whole[window.start_sample : window.start_sample + window.n_samples]
        assert np.array_equal(window.waveform.samples, expected)


@pytest.mark.parametrize("window_s", [0.05, 121.0])
def test_windows_that_the_model_cannot_take_are_refused(backend, window_s):
    audio = audio_of(1.0)
    with pytest.raises(InvalidParams, match=r"window_s must be 0.09 to 120"):
        backend.decode(audio, EmbedWindowsParams(audio, window_s=window_s, hop_s=1.0))


def test_more_audio_than_the_windows_reach_is_too_long(backend):
    audio = audio_of(60.1)
    with pytest.raises(BadAudio) as caught:
        backend.decode(audio, EmbedWindowsParams(audio, window_s=0.1, hop_s=0.1))
    assert caught.value.kind == "too_long"
    assert caught.value.details["max_duration_s"] == 60.0


def test_a_model_that_is_not_in_the_catalog_is_named_with_those_that_are():
    with pytest.raises(ModelUnavailable, match="neither one of the catalog") as caught:
        SpeechBackend(Config(model="nope")).find_model()
    assert caught.value.kind == "unknown_model"


def test_libraries_do_not_spin_unless_told_to(monkeypatch):
    monkeypatch.setattr("os.environ", {**os.environ, "KMP_BLOCKTIME": "77"})
    os.environ.pop("GOMP_SPINCOUNT", None)
    monkeypatch.setattr("sidecar.runtimes.machine.libraries", lambda config: ())
    SpeechBackend(Config()).import_natives()
    assert os.environ["GOMP_SPINCOUNT"] == "10000"
    assert os.environ["KMP_BLOCKTIME"] == "77"


def test_torch_keeps_the_code_of_few_shapes_and_openvino_chooses_for_itself():
    variable = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    assert environment(("torch", "sidecar.runtimes.openvino_library"))[variable] == "128"
    assert variable not in environment(("sidecar.runtimes.openvino_library",))
