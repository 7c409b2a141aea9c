"""Channels: which one is embedded, and what becomes of two that cancel each other."""

import numpy as np
import pytest
from unit.sound_files import LIMITS, SAMPLES, encoded, refusal_of, samples_of

from protocol.params import (
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    FileAudio,
    PcmAudio,
)
from sidecar.audio.channels import mix
from sidecar.audio.decoder import Decoder

OTHER = np.random.default_rng(1).standard_normal(len(SAMPLES)).astype(np.float32) / 10
DECODER = Decoder(LIMITS, "none", max_windows=600)


def stereo(left, right):
    return np.stack([left, right], axis=1).astype("<f4")


def as_pcm(samples, **asked):
    return PcmAudio(samples.tobytes(), "f32le", 16_000, samples.shape[1], **asked)


def waveforms(audio, params=None):
    steps = list(DECODER.decode(audio, params or EmbedParams(audio)))
    return [step.part.waveform for step in steps if step.part is not None]


def waveform(audio):
    [only] = waveforms(audio)
    return only


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_channel_is_embedded(channel):
    three = np.stack([SAMPLES, OTHER, SAMPLES + OTHER], axis=1)
    np.testing.assert_array_equal(
        waveform(as_pcm(three, channel=channel)).samples, three[:, channel]
    )
    data = encoded("FLAC", "PCM_16", three)
    expected = samples_of(encoded("FLAC", "PCM_16", three[:, channel]))
    np.testing.assert_array_equal(samples_of(data, channel=channel), expected)


def test_a_channel_that_is_not_there_is_refused():
    error = refusal_of(encoded("WAV", "PCM_16", stereo(SAMPLES, OTHER)), channel=2)
    assert error.kind == "unsupported_channels"
    assert error.details == {"channels": 2}


def test_what_another_channel_holds_does_not_matter():
    broken = stereo(SAMPLES, np.full_like(SAMPLES, np.nan))
    np.testing.assert_array_equal(waveform(as_pcm(broken, channel=0)).samples, SAMPLES)


@pytest.mark.parametrize("channel", [None, "mix"])
def test_channels_are_mixed_unless_one_is_asked_for(channel):
    mixed = waveform(as_pcm(stereo(SAMPLES, OTHER), channel=channel))
    np.testing.assert_array_equal(mixed.samples, (SAMPLES + OTHER) / 2)
    assert mixed.stereo.correlation == pytest.approx(np.corrcoef(SAMPLES, OTHER)[0, 1], abs=0.01)
    assert mixed.warnings == ()


def test_the_same_in_both_channels_correlates_fully():
    assert waveform(as_pcm(stereo(SAMPLES, SAMPLES))).stereo.correlation == pytest.approx(1.0)


def test_one_or_three_channels_have_no_correlation():
    assert waveform(as_pcm(SAMPLES[:, None])).stereo is None
    assert waveform(as_pcm(np.stack([SAMPLES] * 3, axis=1))).stereo is None
    assert waveform(as_pcm(stereo(SAMPLES, OTHER), channel=0)).stereo is None


def test_a_silent_channel_has_no_correlation():
    mixed = waveform(as_pcm(stereo(SAMPLES, np.zeros_like(SAMPLES))))
    assert mixed.stereo.correlation is None
    np.testing.assert_array_equal(mixed.samples, SAMPLES / 2)


@pytest.mark.parametrize(("left", "right", "louder"), [(1, -1, 0), (1, -0.8, 0), (0.5, -1, 1)])
def test_of_channels_that_cancel_the_louder_one_is_embedded(left, right, louder):
    both = stereo(left * SAMPLES, right * SAMPLES)
    mixed = waveform(as_pcm(both))
    np.testing.assert_array_equal(mixed.samples, both[:, louder])
    [warning] = mixed.warnings
    assert warning.kind == "opposite_phase"
    assert warning.details == {"channel": louder}
    data = encoded("FLAC", "PCM_16", both, 44_100)
    expected = samples_of(encoded("FLAC", "PCM_16", both[:, louder], 44_100))
    np.testing.assert_array_equal(samples_of(data), expected)


def test_segments_and_windows_decide_for_themselves():
    changing = stereo(np.tile(SAMPLES, 2), np.concatenate([SAMPLES, -SAMPLES]))
    audio = as_pcm(changing)
    same, opposite = waveforms(audio, EmbedSegmentsParams(audio, ((0.0, 1.0), (1.0, 2.0))))
    for part in (same, opposite):
        np.testing.assert_array_equal(part.samples, SAMPLES)
    assert (same.warnings, len(opposite.warnings)) == ((), 1)
    windows = waveforms(audio, EmbedWindowsParams(audio, window_s=1.0, hop_s=1.0))
    assert [len(window.warnings) for window in windows] == [0, 1]


def test_a_crop_is_what_it_is_in_the_whole():
    data = encoded("FLAC", "PCM_16", stereo(np.tile(SAMPLES, 20), np.tile(OTHER, 20)), 44_100)
    audio = FileAudio(data)
    [segment] = waveforms(audio, EmbedSegmentsParams(audio, ((2.3, 4.1),)))
    crop = waveform(FileAudio(data, 2.3, 4.1))
    np.testing.assert_array_equal(segment.samples, crop.samples)
    assert segment.stereo == crop.stereo


def test_what_is_mixed_is_an_array_of_its_own():
    pair = stereo(SAMPLES, OTHER)
    for samples in (pair, pair[:, :1]):
        mixed = mix(samples.copy())
        assert mixed.samples.flags.c_contiguous
        assert mixed.samples.flags.writeable
        assert mixed.samples.ndim == 1


def test_what_is_mixed_is_left_as_it_was():
    frames = np.frombuffer(np.array([[0.5, 0.25]], np.float32).tobytes(), np.float32)
    assert mix(frames.reshape(1, 2)).samples == np.float32(0.375)
