"""An audio in pieces, to be listened to: all of it, in order, and no more held than a piece."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.errors import BadAudio
from protocol.params import PcmAudio, SpeechParams
from sidecar.audio.decoder import Decoder
from sidecar.audio.pieces import PIECE_SAMPLES
from sidecar.audio.waveform import DurationLimits

# No audio that is embedded may be so short or so long.
LIMITS = DurationLimits(1.0, 2.0)


def steps_of(frames, rate_hz=16_000, **more):
    frames = np.asarray(frames, "<f4")
    channels = 1 if frames.ndim == 1 else frames.shape[1]
    audio = PcmAudio(frames.tobytes(), "f32le", rate_hz, channels, **more)
    steps = list(Decoder(LIMITS, "none", 5).decode(audio, SpeechParams(audio)))
    assert [step.is_last for step in steps] == [False] * (len(steps) - 1) + [True]
    return steps


def pieces_of(*args, **kwargs):
    return [step.part.waveform for step in steps_of(*args, **kwargs) if step.part is not None]


@pytest.mark.parametrize("n_samples", [1, 100, PIECE_SAMPLES, 3 * PIECE_SAMPLES + 7, 600_000])
def test_they_are_the_whole_audio(n_samples):
    samples = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    pieces = pieces_of(samples)
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), samples)
    starts = [piece.start_sample for piece in pieces]
    assert starts == list(range(0, n_samples, PIECE_SAMPLES))
    assert max(piece.n_samples for piece in pieces) <= PIECE_SAMPLES


def test_a_crop_a_rate_and_a_channel_are_heeded():
    time_s = np.arange(20 * 48_000) / 48_000
    stereo = np.stack([0 * time_s, np.sin(2 * np.pi * 300 * time_s)], axis=1)
    pieces = pieces_of(stereo, 48_000, start_s=1.0, end_s=11.0, channel=1)
    samples = np.concatenate([piece.samples for piece in pieces])
    assert len(samples) == 160_000
    assert samples.std() == pytest.approx(0.5**0.5, rel=0.01)


def test_channels_that_cancel_each_other_are_heard():
    voice = np.random.default_rng(0).standard_normal(200_000)
    for piece in pieces_of(np.stack([voice, -voice], axis=1)):
        assert piece.samples.std() == pytest.approx(1, rel=0.01)
        assert [warning.kind for warning in piece.warnings] == ["opposite_phase"]


def test_little_is_held():
    steps = steps_of(np.zeros(3_000_000))
    assert max(step.held_bytes for step in steps) <= 2 * 4 * (1 << 18)


def test_nothing_is_refused_as_empty():
    with pytest.raises(BadAudio) as caught:
        steps_of([])
    assert caught.value.kind == "empty"
