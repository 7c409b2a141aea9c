"""Clipping, as it was recorded, and after resampling and mixing."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from unit.made_sounds import as_loud_as, babbling, clip, coloured, white

from sidecar.speech.clipping import clipped_share
from sidecar.speech.quality import measure

RATES_HZ = (16_000, 44_100, 48_000, 8000)


def test_runs_at_full_scale_are_counted():
    """In 16 bits, which have one value more below 0 than above; of 50 samples in 16,000."""
    samples = as_loud_as(-10, coloured(-1, 1)).clip(-0.9, 0.9)
    for start, length in ((100, 2), (200, 3), (300, 20)):  # two are no run
        samples[start : start + length] = 1
        samples[5000 + start : 5000 + start + length] = -1
    samples = np.clip(np.round(32768 * samples), -32768, 32767).astype(np.float32) / 32768
    assert clipped_share(samples) == 46 / len(samples)
    assert clipped_share(samples / 4) == 0  # a plateau, but not at full scale


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("seed", range(3))
def test_what_only_reaches_full_scale_is_not_clipped(rate_hz, seed):
    assert clipped_share(clip(babbling(10, seed=seed), 1, rate_hz)) == 0
    assert clipped_share(white(10, -10).astype(np.float32)) == 0


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("gain", [1, 0.5])
@pytest.mark.parametrize("times", [5, 10])
def test_clipping_is_seen_after_resampling_and_mixing(times, gain, rate_hz):
    speech = babbling(10)
    truth = (times * np.abs(speech) > np.abs(speech).max()).mean()
    found = clipped_share(np.float32(gain) * clip(speech, times, rate_hz))
    assert 0.5 * truth <= found <= 1.2 * truth


def test_real_speech_that_was_clipped_is_told_from_what_was_not(shared):
    paths = sorted((shared / "audio" / "librispeech").rglob("*.flac"))[::5]
    utterances = [soundfile.read(path, dtype="float32")[0] for path in paths]
    for times, rate_hz, at_least in (
        (1, 16_000, 0),
        (1, 44_100, 0),
        (5, 16_000, 9),
        (5, 44_100, 8),
    ):
        flagged = sum(is_flagged(clip(u, times, rate_hz)) for u in utterances)
        print(f"clipped {times} times at {rate_hz} Hz: {flagged} of {len(utterances)}")
        assert flagged >= at_least
        assert times > 1 or flagged == 0


def is_flagged(samples):
    return "clipped" in measure(samples, None, None, speech_s=None).flags
