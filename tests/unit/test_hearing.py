"""The step behind the decoder: what is embedded of an audio, and what is told of it."""

from __future__ import annotations

import numpy as np
import pytest
from light_detector import LightDetector
from unit.fake_loader import FakeLoader

from protocol.errors import BadAudio, ModelUnavailable
from protocol.gallery_params import EnrollParams, IdentifyParams, VerifyParams
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    PcmAudio,
    ProbeParams,
    ScoreParams,
    SpeechParams,
)
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import DurationLimits
from sidecar.speech import hearing
from sidecar.speech.hearing import PIECE_SAMPLES, Hearing

RATE_HZ = 16_000
PADDING_S = 0.03


def audio_of(*runs, **more):
    """Of runs of (seconds, amplitude of noise)."""
    noise = np.random.default_rng(0).standard_normal
    parts = [amplitude * noise(round(seconds * RATE_HZ)) for seconds, amplitude in runs]
    samples = np.concatenate(parts).astype("<f4")
    return PcmAudio(samples.tobytes(), "f32le", RATE_HZ, 1, **more)


def decoding(params, audio, loader=None):
    decoder = Decoder(DurationLimits(0.045, 120), "none", max_windows=100)
    return Hearing(decoder, loader or FakeLoader(LightDetector())).decode(audio, params)


def steps_of(params, audio, loader=None):
    steps = list(decoding(params, audio, loader))
    assert [step.is_last for step in steps] == [False] * (len(steps) - 1) + [True]
    return steps


def part_of(steps):
    [part] = [step.part for step in steps if step.part is not None]
    return part.waveform


def samples_of(audio):
    return np.frombuffer(audio.pcm, "<f4")


SPOKEN = audio_of((3.2, 0.0), (1.6, 0.1), (1.28, 0.0), (0.96, 0.1), (2.0, 0.0))
SPOKEN_S = 1.6 + 0.96 + 4 * PADDING_S


def test_auto_is_the_speech_alone_joined():
    steps = steps_of(EmbedParams(SPOKEN, speech="auto"), SPOKEN)
    waveform, samples = part_of(steps), samples_of(SPOKEN)
    first, second = (samples[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in SEGMENTS_S)
    np.testing.assert_array_equal(waveform.samples, np.concatenate([first, second]))
    assert waveform.samples.flags.writeable
    assert steps[-1].quality.speech_s == pytest.approx(SPOKEN_S)


SEGMENTS_S = ((3.17, 4.83), (6.05, 7.07))


@pytest.mark.parametrize("use", ["all", "require"])
def test_all_and_require_leave_it_as_it_is(use):
    steps = steps_of(EmbedParams(SPOKEN, speech=use), SPOKEN)
    np.testing.assert_array_equal(part_of(steps).samples, samples_of(SPOKEN))
    assert steps[-1].quality.speech_s == pytest.approx(SPOKEN_S)


def test_all_is_handed_over_before_anybody_listens():
    loader = FakeLoader(LightDetector())
    steps = decoding(EmbedParams(SPOKEN), SPOKEN, loader)
    step = next(one for one in steps if one.part is not None)
    assert step.is_cut
    assert not step.is_last
    assert step.quality is None
    assert loader.asked == []
    rest = list(steps)
    assert all(one.part is None for one in rest)
    assert rest[-1].quality is not None


def test_an_enrolment_of_all_waits_until_its_speech_is_counted():
    params = EnrollParams(name="Anna", audio=SPOKEN, speech="all")
    loader = FakeLoader()
    steps = decoding(params, SPOKEN, loader)
    assert not next(steps).until()
    loader.failure = ModelUnavailable("no detector")
    with pytest.raises(ModelUnavailable):
        next(steps)
    silent = audio_of((2.0, 0.0))
    for audio, spoken_s in ((SPOKEN, SPOKEN_S), (silent, 0.0)):
        told = steps_of(params, audio)
        np.testing.assert_array_equal(part_of(told).samples, samples_of(audio))
        assert told[-1].quality.speech_s == pytest.approx(spoken_s)


@pytest.mark.parametrize("use", ["auto", "require"])
@pytest.mark.parametrize("spoken_s", [0.0, 0.256, 0.384])
def test_less_than_half_a_second_of_speech_is_refused(use, spoken_s):
    audio = audio_of((2.048, 0.0), (spoken_s, 0.1), (2.0, 0.0))
    with pytest.raises(BadAudio, match=r"0\.5 s of speech are needed") as caught:
        steps_of(EmbedParams(audio, speech=use), audio)
    assert caught.value.kind == "no_speech"
    expected_s = spoken_s + 2 * PADDING_S if spoken_s else 0.0
    assert caught.value.details["speech_s"] == pytest.approx(expected_s)
    assert caught.value.details["needed_s"] == 0.5


def test_half_a_second_is_enough():
    audio = audio_of((2.048, 0.0), (0.448, 0.1), (2.0, 0.0))
    assert part_of(steps_of(EmbedParams(audio, speech="auto"), audio)).duration_s == 0.508


@pytest.mark.parametrize(
    "params",
    [
        EmbedBatchParams((SPOKEN,), speech="auto"),
        ScoreParams(SPOKEN, SPOKEN, speech="auto"),
        EnrollParams("Ada", audio=SPOKEN),
        VerifyParams("1", SPOKEN),
        IdentifyParams(SPOKEN),
    ],
    ids=lambda params: params.method,
)
def test_every_method_that_embeds_a_whole_audio_has_it(params):
    steps = steps_of(params, SPOKEN)
    assert part_of(steps).duration_s == pytest.approx(SPOKEN_S)
    assert steps[-1].quality is not None


@pytest.mark.parametrize(
    "params",
    [
        EmbedWindowsParams(SPOKEN, 1.0, 1.0),
        EmbedSegmentsParams(SPOKEN, ((0.0, 1.0),)),
        ProbeParams(SPOKEN),
    ],
    ids=lambda params: params.method,
)
def test_of_parts_nothing_is_told_and_nothing_is_loaded(params):
    loader = FakeLoader()
    assert all(step.quality is None for step in steps_of(params, SPOKEN, loader))
    assert loader.asked == []


def test_a_long_audio_is_heard_in_steps():
    audio = audio_of((60.0, 0.1))
    for use in ("all", "auto"):
        steps = steps_of(EmbedParams(audio, speech=use), audio)
        heard = [step for step in steps if step.part is None and step.held_bytes]
        assert len(heard) >= 60 * RATE_HZ // PIECE_SAMPLES
        assert part_of(steps).duration_s == 60


# What there is to wait for


def test_who_needs_it_waits_with_nothing_held():
    loader = FakeLoader()
    for params in (EmbedParams(SPOKEN, speech="require"), SpeechParams(SPOKEN)):
        loader.network = None
        steps = decoding(params, SPOKEN, loader)
        waiting = [next(steps), next(steps)]
        assert all(step.until is not None and not step.until() for step in waiting)
        assert all(step.held_bytes == 0 for step in waiting)
        loader.network = LightDetector()
        assert waiting[-1].until()
        assert list(steps)[-1].is_last
    assert loader.asked == ["need", "need"]


def test_who_needs_it_fails_as_it_could_not_be_had():
    loader = FakeLoader()
    loader.failure = ModelUnavailable("no network", "download_failed")
    with pytest.raises(ModelUnavailable, match="no network"):
        steps_of(SpeechParams(SPOKEN), SPOKEN, loader)


def test_all_waits_while_it_is_loaded_and_not_while_it_is_fetched():
    loader = FakeLoader()
    loader.is_loading = True
    steps = decoding(EmbedParams(SPOKEN), SPOKEN, loader)
    waiting = next(step for step in steps if step.until is not None)
    assert not waiting.until()
    assert waiting.held_bytes == 4 * len(samples_of(SPOKEN))
    loader.is_loading = False
    assert waiting.until()
    quality = list(steps)[-1].quality
    assert quality.speech_s is None
    assert quality.level_dbfs is not None
    assert loader.asked == ["begin"]


# The method speech


def told_of(audio):
    return steps_of(SpeechParams(audio), audio)[-1].told


def test_speech_tells_where_somebody_speaks():
    told = told_of(SPOKEN)
    assert np.array(told.segments) == pytest.approx(np.array(SEGMENTS_S))
    assert told.speech_s == pytest.approx(SPOKEN_S)
    assert told.duration_s == pytest.approx(9.04)


def test_times_are_those_of_the_audio_as_it_was_sent():
    samples = samples_of(SPOKEN)
    # 94 steps, so that all lies on them as before.
    audio = PcmAudio(samples.tobytes(), "f32le", RATE_HZ, 1, start_s=3.008, end_s=8.0)
    told = told_of(audio)
    assert np.array(told.segments) == pytest.approx(np.array(SEGMENTS_S))
    assert told.duration_s == pytest.approx(4.992)


def test_what_is_odd_about_some_of_it_is_told_once():
    samples = samples_of(audio_of((30.0, 0.1)))
    frames = np.stack([samples, -samples], axis=1)
    told = told_of(PcmAudio(frames.tobytes(), "f32le", RATE_HZ, 2))
    assert told.speech_s == 30
    assert [warning.kind for warning in told.warnings] == ["opposite_phase"]


@pytest.mark.parametrize("seconds", [0.001, 0.03])
def test_the_shortest_audio_has_no_speech(seconds):
    told = told_of(audio_of((seconds, 0.1)))
    assert told.segments == ()
    assert told.speech_s == 0
    assert told.duration_s == seconds


def test_an_hour_is_never_held():
    audio = audio_of((600.0, 0.1))
    steps = steps_of(SpeechParams(audio), audio)
    assert max(step.held_bytes for step in steps) < 3_000_000
    assert steps[-1].told.segments == ((0.0, 600.0),)


def test_more_segments_than_an_answer_holds_are_refused(monkeypatch):
    monkeypatch.setattr(hearing, "MAX_ARRAY_ITEMS", 1)
    with pytest.raises(BadAudio, match="ask for a part of it") as caught:
        told_of(SPOKEN)
    assert caught.value.kind == "too_many_segments"
    assert caught.value.details == {"max_segments": 1}
