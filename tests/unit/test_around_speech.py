"""What ``speech: auto`` embeds: the speech, and what surrounds it closely."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.speech.around_speech import AROUND_SAMPLES, around_speech

SECOND = 16_000
# Each sample tells where it was; none is quiet.
SAMPLES = np.arange(1, 10 * SECOND + 1, dtype=np.float32)


def places(samples):
    return [int(samples[0]) - 1, int(samples[-1])]


def test_three_quarters_of_a_second_stay_at_both_ends():
    kept = around_speech(SAMPLES, [(4 * SECOND, 5 * SECOND)])
    assert places(kept) == [4 * SECOND - AROUND_SAMPLES, 5 * SECOND + AROUND_SAMPLES]
    assert len(kept) == SECOND + 2 * AROUND_SAMPLES


def test_it_ends_where_the_audio_does():
    kept = around_speech(SAMPLES, [(100, 9 * SECOND + 9_000)])
    assert len(kept) == len(SAMPLES)


def test_a_pause_of_a_second_and_a_half_stays_and_a_longer_one_goes():
    short = around_speech(SAMPLES, [(SECOND, 2 * SECOND), (2 * SECOND + 24_000, 5 * SECOND)])
    assert len(short) == 4 * SECOND + 2 * AROUND_SAMPLES
    long = around_speech(SAMPLES, [(SECOND, 2 * SECOND), (6 * SECOND, 7 * SECOND)])
    assert len(long) == 2 * SECOND + 4 * AROUND_SAMPLES
    gaps = np.diff(long)
    assert (gaps > 1).sum() == 1


def test_what_a_microphone_that_is_off_gives_is_no_surrounding():
    samples = SAMPLES.copy()
    samples[: 3 * SECOND + 7] = 1e-5
    samples[6 * SECOND + 11 :] = 0
    kept = around_speech(samples, [(3 * SECOND + 1000, 6 * SECOND)])
    assert places(kept) == [3 * SECOND + 7, 6 * SECOND + 11]


@given(start=st.integers(0, 500), length=st.integers(0, 500))
@example(start=0, length=159)
@example(start=0, length=160)
def test_a_run_of_silence_counts_from_ten_milliseconds_on_wherever_it_lies(start, length):
    samples = SAMPLES.copy()
    before, behind = 4 * SECOND - 1000 - start, 7 * SECOND + start
    for begin in (before, behind):
        samples[begin : begin + length] = 1e-5
    kept = around_speech(samples, [(4 * SECOND, 7 * SECOND - 100)])
    whole = [4 * SECOND - AROUND_SAMPLES, 7 * SECOND - 100 + AROUND_SAMPLES]
    assert places(kept) == ([before + length, behind] if length >= 160 else whole)


def test_a_few_samples_of_zero_are_no_pause():
    samples = SAMPLES.copy()
    samples[3 * SECOND : 3 * SECOND + 100] = 0
    kept = around_speech(samples, [(3 * SECOND + 1000, 6 * SECOND)])
    assert places(kept)[0] == 3 * SECOND + 1000 - AROUND_SAMPLES


def test_silence_within_the_speech_stays():
    samples = SAMPLES.copy()
    samples[4 * SECOND : 5 * SECOND] = 0
    kept = around_speech(samples, [(3 * SECOND, 6 * SECOND)])
    assert len(kept) == 3 * SECOND + 2 * AROUND_SAMPLES
