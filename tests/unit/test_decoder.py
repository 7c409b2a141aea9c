"""decode(): PCM, crops, limits, resampling; what files do is in test_sound_file.py."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.sound_files import decode

from protocol.errors import BadAudio
from protocol.params import FileAudio, PathAudio, PcmAudio
from sidecar.audio.waveform import DurationLimits, Waveform

SPEECH = Path(__file__).parents[2] / ".." / "shared" / "audio" / "librispeech"
LIMITS = DurationLimits(min_s=0.04, max_s=60.0)


def waveform_of(audio, limits=LIMITS):
    return decode(audio, limits=limits, path_root="any")


def refusal_of(audio, limits=LIMITS):
    with pytest.raises(BadAudio) as caught:
        waveform_of(audio, limits)
    return caught.value


def pcm_of(samples, rate_hz=16_000, **crop):
    samples = np.asarray(samples, "<f4")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return PcmAudio(
        samples.tobytes(), "f32le", rate_hz, channels, crop.get("start_s"), crop.get("end_s")
    )


def noise_of(*shape):
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def tone_of(frequency_hz, duration_s, rate_hz):
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return 0.5 * np.sin(2 * math.pi * frequency_hz * time_s)


# PCM


@given(
    samples=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=300),
    channels=st.integers(1, 5),
)
def test_f32_samples_arrive_unchanged(samples, channels):
    frames = np.repeat(np.float32(samples)[:, None], channels, axis=1)
    waveform = waveform_of(pcm_of(frames), DurationLimits(0, 1))
    # The mean of equal channels is exact up to the rounding of their sum.
    tolerance = 0 if channels <= 2 else 4e-7
    np.testing.assert_allclose(waveform.samples, np.float32(samples), rtol=tolerance)


@given(samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=300))
def test_s16_full_scale_is_32768(samples):
    pcm = np.array(samples, "<i2").tobytes()
    waveform = waveform_of(PcmAudio(pcm, "s16le", 16_000, 1), DurationLimits(0, 1))
    np.testing.assert_array_equal(waveform.samples, np.array(samples) / 32768)


@pytest.mark.parametrize("channels", [2, 3, 64])
def test_channels_are_interleaved_and_mixed_by_their_mean(channels):
    frames = noise_of(1000, channels)
    waveform = waveform_of(pcm_of(frames))
    np.testing.assert_allclose(waveform.samples, frames.mean(axis=1), atol=1e-7)


def test_long_pcm_is_joined_from_its_blocks():
    samples = noise_of(600_000)
    np.testing.assert_array_equal(waveform_of(pcm_of(samples)).samples, samples)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_the_waveform_is_safe_to_hand_to_torch(rate_hz):
    samples = waveform_of(pcm_of(noise_of(rate_hz), rate_hz)).samples
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.flags.c_contiguous
    assert samples.flags.aligned
    assert samples.flags.writeable


def test_samples_above_full_scale_are_not_clipped():
    assert waveform_of(pcm_of(np.full(1000, -1.5))).samples.min() == -1.5


def test_duration_counts_samples_at_16_khz():
    assert Waveform(np.zeros(24_000, np.float32)).duration_s == 1.5


@pytest.mark.parametrize("encoding", ["s24le", "f32be", "", "F32LE", "x" * 1000])
def test_other_encodings_are_refused(encoding):
    error = refusal_of(PcmAudio(bytes(8), encoding, 16_000, 1))
    assert error.kind == "unsupported_encoding"
    assert "f32le" in error.message
    assert "s16le" in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize("rate_hz", [-1, 0, 7_999, 192_001, 2**53])
def test_rates_out_of_range_are_refused(rate_hz):
    error = refusal_of(PcmAudio(bytes(8), "f32le", rate_hz, 1))
    assert error.kind == "unsupported_sample_rate"
    assert str(rate_hz) in error.message


@pytest.mark.parametrize("channels", [-1, 0, 65, 2**53])
def test_channel_counts_out_of_range_are_refused(channels):
    error = refusal_of(PcmAudio(bytes(8), "f32le", 16_000, channels))
    assert error.kind == "unsupported_channels"
    assert error.details["channels"] == channels


def test_partial_frames_are_refused():
    error = refusal_of(PcmAudio(bytes(1001), "s16le", 16_000, 2))
    assert error.kind == "odd_length"
    assert error.details == {"n_bytes": 1001, "frame_bytes": 4}


@pytest.mark.parametrize("channels", [1, 3])
def test_no_samples_are_empty(channels):
    assert refusal_of(PcmAudio(b"", "f32le", 16_000, channels)).kind == "empty"


# Values


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_non_finite_sample_is_named(value):
    frames = noise_of(40_000, 2)
    frames[20_000, 1] = frames[30_000, 0] = value
    error = refusal_of(pcm_of(frames, 8_000))
    assert error.kind == "non_finite"
    assert error.details == {"index": 20_000, "time_s": 2.5}


@pytest.mark.parametrize("index", [100_000, 500_000])
def test_an_index_counts_from_the_beginning_of_the_source(index):
    samples = noise_of(600_000)
    samples[index] = math.nan
    audio = pcm_of(samples, 48_000, start_s=2.0)
    assert refusal_of(audio).details["index"] == index


def test_values_outside_of_the_crop_do_not_matter():
    samples = noise_of(16_000)
    samples[0] = samples[-1] = math.nan
    assert len(waveform_of(pcm_of(samples, start_s=0.25, end_s=0.75)).samples) == 8_000


@pytest.mark.parametrize("value", [1.1e6, -3e38])
def test_absurd_levels_are_refused(value):
    samples = noise_of(16_000)
    samples[8_000] = value
    error = refusal_of(pcm_of(samples))
    assert error.kind == "out_of_range"
    assert error.details["index"] == 8_000
    assert "full scale is 1.0" in error.message


# Crops


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 1.25), (None, 0.5), (1.0, None), (0, 2.0)])
def test_a_crop_is_what_the_samples_alone_would_be(rate_hz, start_s, end_s):
    samples = noise_of(2 * rate_hz)
    cropped = waveform_of(pcm_of(samples, rate_hz, start_s=start_s, end_s=end_s))
    part = samples[round((start_s or 0) * rate_hz) : round((end_s or 2) * rate_hz)]
    np.testing.assert_array_equal(cropped.samples, waveform_of(pcm_of(part, rate_hz)).samples)


@pytest.mark.parametrize(
    ("start_s", "end_s"),
    [
        (-0.1, 1.0),
        (1.0, 1.0),
        (1.0, 0.5),
        (math.nan, 1.0),
        (0.0, math.nan),
        (0.0, math.inf),
        (math.inf, None),
        (None, 0.0),
        (0.1, 0.100001),  # no sample lies in between
    ],
)
def test_impossible_crops_are_refused(start_s, end_s):
    error = refusal_of(pcm_of(noise_of(16_000), start_s=start_s, end_s=end_s))
    assert error.kind == "bad_crop"


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(1.0, None), (5.0, 6.0), (0.0, 1.101), (0.5, 1e300)]
)
def test_crops_beyond_the_audio_are_told_its_duration(start_s, end_s):
    error = refusal_of(pcm_of(noise_of(16_000), start_s=start_s, end_s=end_s))
    assert error.kind == "bad_crop"
    assert error.details["duration_s"] == 1.0


def test_a_rounded_end_is_cut():
    audio = pcm_of(noise_of(16_000), start_s=0.5, end_s=1.1)
    assert len(waveform_of(audio).samples) == 8_000


# Durations


def test_the_limits_are_included():
    limits = DurationLimits(0.3, 0.7)
    for n_samples in (4_800, 11_200):
        assert len(waveform_of(pcm_of(noise_of(n_samples)), limits).samples) == n_samples


@pytest.mark.parametrize(("n_samples", "kind"), [(4_799, "too_short"), (11_201, "too_long")])
def test_durations_outside_of_the_limits_are_refused(n_samples, kind):
    error = refusal_of(pcm_of(noise_of(n_samples)), DurationLimits(0.3, 0.7))
    assert error.kind == kind
    assert error.details == {
        "duration_s": n_samples / 16_000,
        "min_duration_s": 0.3,
        "max_duration_s": 0.7,
    }
    assert f"{n_samples / 16_000:.3f}" in error.message
    assert "0.3" in error.message
    assert "0.7" in error.message


def test_a_part_of_long_audio_is_accepted():
    audio = pcm_of(noise_of(160_000), start_s=8.0, end_s=9.0)
    assert waveform_of(audio, DurationLimits(0.1, 2.0)).duration_s == 1.0


@settings(deadline=None)
@given(
    rate_hz=st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 96_000]),
    limit_samples=st.integers(640, 20_000),
)
def test_resampling_keeps_within_limits_that_are_whole_samples(rate_hz, limit_samples):
    limit_s = limit_samples / 16_000
    shortest = math.ceil(limit_samples * rate_hz / 16_000)
    longest = math.floor(limit_samples * rate_hz / 16_000)
    accepted = waveform_of(pcm_of(np.zeros(shortest), rate_hz), DurationLimits(limit_s, 9))
    assert len(accepted.samples) >= limit_samples
    accepted = waveform_of(pcm_of(np.zeros(longest), rate_hz), DurationLimits(0, limit_s))
    assert len(accepted.samples) <= limit_samples


# Resampling


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_keeps_its_frequency_level_and_length(rate_hz):
    samples = waveform_of(pcm_of(tone_of(1000, 1.5, rate_hz), rate_hz)).samples
    assert abs(len(samples) - 24_000) <= 1
    middle = samples[4_000:20_000]
    expected = tone_of(1000, 1.5, 16_000)[4_000:20_000]
    np.testing.assert_allclose(middle, expected, atol=1e-3)


def test_frequencies_above_8_khz_do_not_fold_back():
    samples = waveform_of(pcm_of(tone_of(10_000, 1.0, 48_000), 48_000)).samples
    assert np.abs(samples[1_000:-1_000]).max() < 1e-3


# Real speech


@pytest.mark.skipif(not SPEECH.is_dir(), reason="the speech of shared/audio is not here")
def test_real_speech_decodes_to_its_exact_samples():
    for path in sorted(SPEECH.glob("*/*.flac"))[::10]:
        expected, _ = soundfile.read(path, dtype="float32")
        from_path = waveform_of(PathAudio(str(path.resolve())))
        from_bytes = waveform_of(FileAudio(path.read_bytes()))
        np.testing.assert_array_equal(from_path.samples, expected)
        np.testing.assert_array_equal(from_bytes.samples, expected)
