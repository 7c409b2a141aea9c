"""The quality of an audio: numbers of signals whose numbers are known, and every flag."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import soxr
from unit.made_sounds import as_loud_as, babbling, below, clip, coloured, seconds, white

from sidecar.audio.channels import mix
from sidecar.audio.waveform import Stereo
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.speech.quality import STEP_SAMPLES, _median, measure


def speaks(samples, *parts):
    """In which steps somebody does: in ``parts``, each from one second to another."""
    middles = (np.arange(math.ceil(len(samples) / STEP_SAMPLES)) + 0.5) * STEP_SAMPLES
    return np.any([(middles > 16_000 * a) & (middles < 16_000 * b) for a, b in parts], axis=0)


def quality(samples, is_speech="all", stereo=None, speech_s=10.0):
    samples = np.asarray(samples, np.float32)
    if isinstance(is_speech, str):
        is_speech = speaks(samples, (0, np.inf))
    return measure(samples, is_speech, stereo, speech_s=speech_s)


@pytest.mark.parametrize("dbfs", [-3, -20.0, -60.0, -90.0])
@pytest.mark.parametrize("hz", [100, 440, 3000])
def test_the_level_of_a_sine_is_known(dbfs, hz):
    sine = math.sqrt(2) * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * seconds(1.024))
    assert quality(sine).level_dbfs == pytest.approx(dbfs, abs=0.15)
    assert quality(sine + 0.2).level_dbfs == pytest.approx(dbfs, abs=0.15)


@pytest.mark.parametrize("speech_s", [4, 40])
def test_the_level_is_that_of_the_speech(speech_s):
    samples = np.concatenate([white(30, -60), white(speech_s, -20), white(2, -60)])
    spoken = speaks(samples, (30, 30 + speech_s))
    assert quality(samples, spoken).level_dbfs == pytest.approx(-20, abs=0.3)
    of_all = 10 * math.log10(np.square(samples).mean())
    for unknown in (None, np.zeros_like(spoken)):
        assert quality(samples, unknown).level_dbfs == pytest.approx(of_all, abs=0.3)


@pytest.mark.parametrize("snr_db", [40, 20, 10, 0])
def test_the_noise_is_taken_out_of_the_speech(snr_db):
    noise = white(6, -30 - snr_db, seed=7)
    tone = as_loud_as(-30, np.sin(2 * np.pi * 440 * seconds(6)))
    tone[seconds(6) >= 3] = 0
    found = quality(tone + noise, speaks(tone, (0, 3)))
    assert found.snr_db == pytest.approx(snr_db, abs=0.3)


def test_a_few_words_that_were_not_heard_are_no_noise():
    samples = white(10, -50)
    samples[: 5 * SAMPLE_RATE_HZ] += white(5, -30, seed=1)
    samples[9 * SAMPLE_RATE_HZ :] += white(1, -30, seed=2)
    assert quality(samples, speaks(samples, (0, 5))).snr_db == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("silence_s", [0, 20])
@pytest.mark.parametrize("snr_db", [15, 5])
def test_where_all_is_speech_its_pauses_tell_the_noise(snr_db, silence_s):
    """Silence that is digital tells nothing of it."""
    spoken = babbling(4, -30) + white(4, -30 - snr_db, seed=9)
    samples = np.concatenate([np.zeros(silence_s * SAMPLE_RATE_HZ), spoken])
    found = quality(samples, speaks(samples, (silence_s, silence_s + 4)))
    assert found.snr_db == pytest.approx(snr_db, abs=2)


def test_of_the_pauses_it_is_the_median_that_counts():
    pauses = np.random.default_rng(0).uniform(size=30)
    for n in range(1, len(pauses) + 1):
        assert _median(pauses[:n]) == np.median(pauses[:n])


def test_without_speech_or_noise_there_is_no_snr():
    noise = white(3, -30)
    assert quality(noise, None).snr_db is None
    assert quality(noise, speaks(noise, (5, 6))).snr_db is None
    gated = np.concatenate([np.zeros(32_000), white(1, -30), np.zeros(32_000)])
    assert quality(gated, speaks(gated, (2, 3))).snr_db is None


def test_speech_that_is_softer_than_the_noise_has_the_least_snr():
    samples = np.concatenate([white(2, -40), white(2, -20)])
    found = quality(samples, speaks(samples, (0, 2)))
    assert found.snr_db == -20
    assert "noisy" in found.flags


@pytest.mark.parametrize("beside", ["nothing", "hum", "an offset"])
@pytest.mark.parametrize("hz", [2000, 3400, 4000, 5500, 5950, 6100, 8000])
def test_the_bandwidth_is_where_the_energy_ends(hz, beside):
    t = seconds(3)
    added = {"nothing": 0 * t, "hum": 0.03 * np.sin(2 * np.pi * 50 * t), "an offset": 0 * t + 0.9}
    found = quality(below(hz, babbling(3, -54)) + added[beside])
    assert hz <= found.bandwidth_hz <= hz + 250
    assert ("narrow_band" in found.flags) == (hz < 6000)


def test_a_source_of_8_khz_is_of_narrow_band():
    narrow = soxr.resample(soxr.resample(babbling(3), 16_000, 8000), 8000, 16_000)
    assert quality(narrow).bandwidth_hz == 4000
    quantised = np.round(narrow * 32768) / 32768
    assert quality(quantised).bandwidth_hz == 4000


def test_the_bandwidth_is_that_of_the_speech():
    samples = np.concatenate([white(3, -40), below(3400, white(3, -20))])
    assert quality(samples, speaks(samples, (3, 6))).bandwidth_hz == 3500
    assert quality(samples, None).bandwidth_hz == 8000


GOOD = np.concatenate([babbling(10), np.zeros(SAMPLE_RATE_HZ)]) + white(11, -70, seed=3)
IS_SPEECH = speaks(GOOD, (0, 10))


def test_good_speech_has_no_flag():
    assert quality(GOOD, IS_SPEECH).flags == ()
    assert quality(GOOD, None, speech_s=None).flags == ()


@pytest.mark.parametrize(
    ("dbfs", "flags"), [(-54, ()), (-56, ("quiet",)), (-74, ("quiet",)), (-76, ("silent",))]
)
def test_soft_speech_is_flagged(dbfs, flags):
    found = quality(GOOD * 10 ** ((dbfs + 25) / 20), IS_SPEECH)
    assert found.flags == flags
    assert (found.bandwidth_hz is None) == (flags == ("silent",))


@pytest.mark.parametrize(("snr_db", "flags"), [(13, ()), (11, ("noisy",)), (-5, ("noisy",))])
def test_noise_is_flagged(snr_db, flags):
    assert quality(GOOD + white(11, -25 - snr_db, seed=5), IS_SPEECH).flags == flags


@pytest.mark.parametrize(
    ("speech_s", "flags"),
    [(None, ()), (0.0, ("little_speech",)), (1.9, ("little_speech",)), (2.0, ())],
)
def test_little_speech_is_flagged(speech_s, flags):
    found = quality(GOOD, IS_SPEECH, speech_s=speech_s)
    assert (found.flags, found.speech_s) == (flags, speech_s)


def test_clipping_is_flagged():
    for times, flags in ((1, ()), (10, ("clipped",))):
        found = quality(clip(GOOD, times), IS_SPEECH)
        assert found.flags == flags
        assert (found.clipped_share > 0) == (times > 1)


@pytest.mark.parametrize("correlation", [1, 0, -0.49, -0.5, -1])
def test_opposite_phase_is_flagged_where_the_louder_channel_is_embedded(correlation):
    stereo = Stereo(correlation, 1.0, 1.0)
    found = quality(GOOD, IS_SPEECH, stereo)
    assert found.channel_correlation == correlation
    assert found.flags == (("opposite_phase",) if correlation <= -0.5 else ())
    mixed = mix(np.stack([GOOD, -GOOD], axis=1).astype(np.float32))
    assert [warning.kind for warning in mixed.warnings] == ["opposite_phase"]
    assert quality(mixed.samples, IS_SPEECH, mixed.stereo).flags == ("opposite_phase",)


def test_a_silent_channel_has_no_correlation():
    found = quality(GOOD, IS_SPEECH, Stereo(0.0, 0.0, 1.0))
    assert (found.channel_correlation, found.flags) == (None, ())


NO_SPEECH = {
    "silence": np.zeros(48_000),
    "the last bit": np.random.default_rng(0).integers(-1, 2, 48_000) / 32768,
    "white noise": coloured(0),
    "pink noise": coloured(-0.5),
    "brown noise": coloured(-1),
    "hum": 0.1 * sum(np.sin(2 * np.pi * 50 * k * seconds(3)) / k for k in range(1, 6)),
    "sine": 0.5 * np.sin(2 * np.pi * 440 * seconds(3)),
    "loud sine": np.sin(2 * np.pi * 440 * seconds(3)),
    "offset": np.full(48_000, 0.3),
    "clicks": (np.arange(48_000) % 4000 == 0) * 1.0,
    "nothing": np.zeros(0),
    "one sample": np.ones(1),
    "0.04 s": 0.1 * np.ones(640),
}


@pytest.mark.parametrize("name", NO_SPEECH)
def test_whatever_is_no_speech_is_flagged(name):
    samples = NO_SPEECH[name]
    found = quality(samples, np.zeros(math.ceil(len(samples) / STEP_SAMPLES), bool), speech_s=0.0)
    assert "little_speech" in found.flags
    is_silent = name in {"silence", "the last bit", "offset", "nothing", "one sample", "0.04 s"}
    assert ("silent" in found.flags) == is_silent
    assert found.snr_db is None


def numbers(found):
    values = (getattr(found, name) for name in found.__slots__ if name != "flags")
    return [value for value in values if value is not None]


@pytest.mark.parametrize("seed", range(300))
def test_any_samples_are_measured(seed):
    """From denormal to the largest, in any mixture, at any length."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([0, 1, 2, 3, 511, 512, 513, 640, 5000, 40_000]))
    samples = rng.standard_normal(n) * 10.0 ** rng.uniform(-45, 38, n if seed % 2 else 1)
    samples[rng.random(n) < rng.choice([0, 0.5, 0.99])] = 0
    samples[rng.random(n) < rng.choice([0, 0.1])] = rng.choice([1, -3.4e38, 3.4e38, 1e-45])
    samples = np.clip(samples, -3.4e38, 3.4e38).astype(np.float32)
    is_speech = None if seed % 3 == 0 else rng.random(math.ceil(n / STEP_SAMPLES)) < 0.6
    with np.errstate(all="raise", under="ignore"):
        found = measure(samples, is_speech, None, speech_s=None)
    assert all(type(number) is float and math.isfinite(number) for number in numbers(found))
    assert 0 <= found.clipped_share <= 1
    assert found.bandwidth_hz is None or 0 < found.bandwidth_hz <= 8000


def test_the_samples_stay_as_they_are():
    samples = GOOD.astype(np.float32)
    before = samples.copy()
    quality(samples, IS_SPEECH)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(("duration_s", "limit_ms"), [(10, 10), (3600, 40)])
def test_it_costs_a_millisecond_or_two(duration_s, limit_ms):
    """With room for a busy machine: 0.5 ms and 2.5 ms where nothing else runs."""
    samples = np.tile(babbling(10).astype(np.float32), duration_s // 10)
    spoken = np.random.default_rng(0).random(math.ceil(len(samples) / STEP_SAMPLES)) < 0.8
    taken_ms = []
    for _ in range(5):
        started_at = time.process_time()
        measure(samples, spoken, None, speech_s=8.0)
        taken_ms.append(1000 * (time.process_time() - started_at))
    assert min(taken_ms) <= limit_ms
