"""What a request's audio becomes: one waveform, or its windows."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.errors import BadAudio, InvalidParams
from protocol.params import EmbedParams, EmbedWindowsParams, PcmAudio
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import DurationLimits
from sidecar.config import DEFAULT_LIMITS


def audio_of(seconds, **crop):
    samples = np.linspace(-0.5, 0.5, round(16_000 * seconds), dtype="<f4")
    return PcmAudio(samples.tobytes(), "f32le", 16_000, 1, **crop)


@pytest.fixture
def decoder():
    return Decoder(DurationLimits(0.045, 120.0), "any", DEFAULT_LIMITS.max_windows)


def test_an_audio_is_one_waveform(decoder):
    audio = audio_of(0.5)
    [waveform] = decoder.decode(audio, EmbedParams(audio))
    assert (waveform.n_samples, waveform.start_sample) == (8000, 0)


def test_windows_are_cut_from_one_waveform(decoder):
    audio = audio_of(1.2)
    windows = decoder.decode(audio, EmbedWindowsParams(audio, window_s=0.5, hop_s=0.5))
    assert [(w.start_sample, w.n_samples) for w in windows] == [
        (0, 8000),
        (8000, 8000),
        (11200, 8000),
    ]
    whole = np.frombuffer(audio.pcm, "<f4")
    for window in windows:
        expected = whole[window.start_sample : window.start_sample + window.n_samples]
        assert np.array_equal(window.samples, expected)


@pytest.mark.parametrize("window_s", [0.05, 121.0])
def test_windows_that_the_model_cannot_take_are_refused(decoder, window_s):
    audio = audio_of(1.0)
    with pytest.raises(InvalidParams, match=r"window_s must be 0.09 to 120"):
        decoder.decode(audio, EmbedWindowsParams(audio, window_s=window_s, hop_s=1.0))


def test_more_audio_than_the_windows_reach_is_too_long(decoder):
    audio = audio_of(60.1)
    with pytest.raises(BadAudio) as caught:
        decoder.decode(audio, EmbedWindowsParams(audio, window_s=0.1, hop_s=0.1))
    assert caught.value.kind == "too_long"
    assert caught.value.details["max_duration_s"] == 60.0
