"""Where windows lie, and that they are cut from a stream as they would be from the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.sound_files import encoded

from protocol.errors import BadAudio, InvalidParams
from protocol.params import EmbedParams, EmbedWindowsParams, FileAudio, PcmAudio
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import DurationLimits
from sidecar.audio.windows import (
    count_windows,
    cut_windows,
    max_windowed_samples,
)

MAX_WINDOWS = 600


def cut(n_samples, window, hop, block_samples=10**6, n_stated=None):
    """The steps of an audio that counts its samples, in blocks."""
    whole = np.arange(n_samples, dtype=np.float32)
    blocks = [whole[start : start + block_samples] for start in range(0, n_samples, block_samples)]
    return list(cut_windows((block[:, None] for block in blocks), 1, window, hop, n_stated))


def plan(*arguments, **options):
    """The windows as (start, end), which are what their samples say."""
    parts = [step.part for step in cut(*arguments, **options) if step.part is not None]
    assert [part.index for part in parts] == list(range(len(parts)))
    for part in parts:
        start, n_samples = part.waveform.start_sample, part.waveform.n_samples
        assert list(part.waveform.samples) == list(range(start, start + n_samples))
    return [ends_of(part.waveform) for part in parts]


def ends_of(waveform):
    return waveform.start_sample, waveform.start_sample + waveform.n_samples


@pytest.mark.parametrize("block_samples", [1, 3, 10, 100])
@pytest.mark.parametrize(
    ("n_samples", "window", "hop", "windows"),
    [
        (5, 10, 10, [(0, 5)]),
        (10, 10, 10, [(0, 10)]),
        (15, 10, 10, [(0, 10), (10, 15)]),  # half a window stands for itself
        (14, 10, 10, [(0, 10), (4, 14)]),  # less moves back
        (20, 10, 5, [(0, 10), (5, 15), (10, 20)]),
        (22, 10, 5, [(0, 10), (5, 15), (10, 20), (15, 22)]),
        (32, 10, 20, [(0, 10), (20, 30)]),  # a hop longer than the window leaves gaps
        (23, 10, 20, [(0, 10), (13, 23)]),
    ],
)
def test_plans(n_samples, window, hop, windows, block_samples):
    assert plan(n_samples, window, hop, block_samples) == windows


sizes = st.integers(1, 200)


@given(sizes, sizes, sizes, sizes)
def test_windows_cover_the_audio_and_none_is_short(n_samples, window, hop, block_samples):
    windows = plan(n_samples, window, hop, block_samples)
    assert windows[0][0] == 0
    assert len(windows) == count_windows(n_samples, window, hop)
    for start, end in windows:
        assert 0 <= start < end <= n_samples
        assert end - start <= window
        assert end - start >= window / 2 or len(windows) == 1
    assert windows == sorted(windows)
    assert all(start == index * hop for index, (start, _) in enumerate(windows[:-1]))
    if hop <= window:
        covered = set().union(*(range(start, end) for start, end in windows))
        assert covered == set(range(n_samples))


@given(sizes, sizes, st.integers(1, 20))
def test_the_longest_audio_has_just_as_many_windows_as_allowed(window, hop, max_windows):
    longest = max_windowed_samples(window, hop, max_windows)
    assert count_windows(longest, window, hop) == max_windows
    if hop <= window:
        assert count_windows(longest + 1, window, hop) == max_windows + 1


@given(sizes, sizes, sizes)
def test_little_more_than_a_window_and_a_block_is_held(window, hop, block_samples):
    steps = cut(2000, window, hop, block_samples)
    assert max(step.held_bytes for step in steps) <= 4 * (window + 2 * block_samples)


def test_how_many_there_will_be_is_told_by_the_header_and_known_at_the_end():
    steps = cut(40, 10, 10, block_samples=10, n_stated=70)
    assert [step.n_parts for step in steps] == [7] * (len(steps) - 1) + [4]
    assert next(iter(cut(40, 10, 10, block_samples=10))).n_parts is None


# Through the decoder


def audio_of(seconds, **crop):
    samples = np.linspace(-0.5, 0.5, round(16_000 * seconds), dtype="<f4")
    return PcmAudio(samples.tobytes(), "f32le", 16_000, 1, **crop)


def decode(audio, params):
    return Decoder(DurationLimits(0.045, 120.0), "any", MAX_WINDOWS).decode(audio, params)


def parts_of(steps):
    return [step.part.waveform for step in steps if step.part is not None]


def test_an_audio_is_one_waveform():
    audio = audio_of(0.5)
    [waveform] = parts_of(decode(audio, EmbedParams(audio)))
    assert (waveform.n_samples, waveform.start_sample) == (8000, 0)


def test_windows_are_cut_from_one_waveform():
    audio = audio_of(1.2)
    windows = parts_of(decode(audio, EmbedWindowsParams(audio, window_s=0.5, hop_s=0.5)))
    assert [(w.start_sample, w.n_samples) for w in windows] == [
        (0, 8000),
        (8000, 8000),
        (11200, 8000),
    ]
    whole = np.frombuffer(audio.pcm, "<f4")
    for window in windows:
        expected = whole[window.start_sample : window.start_sample + window.n_samples]
        assert np.array_equal(window.samples, expected)


def test_windows_of_another_rate_are_those_of_the_resampled_whole():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44_100 * 3).astype(np.float32)
    audio = FileAudio(encoded("FLAC", samples=noise, rate_hz=44_100))
    [whole] = parts_of(decode(audio, EmbedParams(audio)))
    windows = parts_of(decode(audio, EmbedWindowsParams(audio, window_s=0.5, hop_s=0.2)))
    assert len(windows) == 14
    for window in windows:
        end = window.start_sample + window.n_samples
        assert np.array_equal(window.samples, whole.samples[window.start_sample : end])


@pytest.mark.parametrize("window_s", [0.05, 121.0])
def test_windows_that_the_model_cannot_take_are_refused(window_s):
    audio = audio_of(1.0)
    with pytest.raises(InvalidParams, match=r"window_s must be 0.09 to 120"):
        next(decode(audio, EmbedWindowsParams(audio, window_s=window_s, hop_s=1.0)))


LONG = FileAudio(encoded("WAV", samples=np.zeros(16_000 * 33, np.float32)))


@given(st.integers(0, 199))
def test_as_much_audio_as_the_windows_reach_is_accepted(hundredths):
    start_s = hundredths / 100
    audio = replace(LONG, start_s=start_s, end_s=start_s + 30.05)
    *_, last = decode(audio, EmbedWindowsParams(audio, window_s=0.1, hop_s=0.05))
    assert last.n_parts == MAX_WINDOWS


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_more_audio_than_the_windows_reach_is_too_long(container):
    """And at once: its length is known before it is decoded."""
    audio = FileAudio(encoded(container, samples=np.zeros(round(16_000 * 60.1), np.float32)))
    steps = decode(audio, EmbedWindowsParams(audio, window_s=0.1, hop_s=0.1))
    windows = []
    with pytest.raises(BadAudio) as caught:
        windows.extend(step for step in steps if step.part is not None)
    assert caught.value.kind == "too_long"
    assert caught.value.details["max_duration_s"] == 60.0
    assert windows == []
