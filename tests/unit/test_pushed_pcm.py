"""Samples that are pushed piece by piece give what they give as one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import BadAudio
from protocol.params import PcmAudio, SpeechParams
from sidecar.audio.decoder import Decoder
from sidecar.audio.pushed_pcm import PushedPcm
from sidecar.audio.waveform import DurationLimits

RATES = st.sampled_from([8_000, 16_000, 44_100, 48_000])
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 400_000).astype("<f4")


def whole(pcm, rate_hz, encoding, channels, channel):
    """What the decoder of recordings makes of it."""
    audio = PcmAudio(pcm, encoding, rate_hz, channels, channel=channel)
    decoder = Decoder(DurationLimits(0.05, 60.0), "none", max_windows=10)
    steps = decoder.decode(audio, SpeechParams(audio))
    return np.concatenate([s.part.waveform.samples for s in steps if s.part is not None])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9_000), min_size=1, max_size=8),
    RATES,
    st.sampled_from(["f32le", "s16le"]),
    st.integers(1, 3),
    st.none() | st.just(0),
)
def test_pieces_are_the_whole(lengths, rate_hz, encoding, channels, channel):
    n_frames = sum(lengths) + 1
    # As loud in all channels: whether two cancel each other is decided piece by piece.
    frames = np.repeat(NOISE[:n_frames, None], channels, axis=1)
    stored = frames if encoding == "f32le" else np.rint(32_767 * frames).astype("<i2")
    pushed = PushedPcm(rate_hz, encoding, channels, channel)
    edges = np.cumsum([0, *lengths, 1])
    made = []
    for start, end in itertools.pairwise(edges):
        pcm = stored[start:end].tobytes()
        assert pushed.check(pcm, start) == end - start
        made += pushed.feed(pcm, is_last=end == n_frames)
    heard = np.concatenate([waveform.samples for waveform in made])
    told = whole(stored.tobytes(), rate_hz, encoding, channels, channel)
    assert np.array_equal(heard, told) or np.allclose(heard, told, atol=1e-6)


def test_channels_that_cancel_each_other_are_told():
    frames = np.stack([NOISE[:4000], -NOISE[:4000]], axis=1)
    [waveform, _] = PushedPcm(16_000, "f32le", 2, None).feed(frames.tobytes(), is_last=True)
    assert [warning.kind for warning in waveform.warnings] == ["opposite_phase"]
    assert np.array_equal(waveform.samples, NOISE[:4000])


def test_a_sample_that_cannot_be_is_found_where_it_is_in_the_stream():
    pcm = np.array([0, np.inf], "<f4").tobytes()
    with pytest.raises(BadAudio, match="sample 501"):
        PushedPcm(16_000, "f32le", 1, None).check(pcm, 500)
