"""Segments of one audio: each what it is alone, in one pass and in little memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.sound_files import encoded

from protocol.errors import BadAudio
from protocol.params import EmbedParams, EmbedSegmentsParams, FileAudio, PcmAudio
from sidecar.audio.decoder import Decoder
from sidecar.audio.formats import flac_file
from sidecar.audio.formats.flac_file import FlacFile
from sidecar.audio.waveform import DurationLimits

DECODER = Decoder(DurationLimits(0.05, 2.0), "none", max_windows=600)
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (22_050 * 4, 2)).astype(np.float32)
STEREO = FileAudio(encoded("FLAC", samples=NOISE, rate_hz=22_050))
TIMES = st.floats(-0.5, 4.5) | st.sampled_from([0.0, 1.0, 2.0, 4.0, 4.05, 4.2])


@pytest.fixture(autouse=True, scope="module")
def short_blocks():
    """Of some 0.4 s, so that there are many in a segment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flac_file, "BLOCK_VALUES", 16_384)
        yield


def embed(audio, start_s, end_s):
    """The waveform of one segment alone, or its refusal."""
    part = replace(audio, start_s=start_s, end_s=end_s)
    try:
        *_, last = DECODER.decode(part, EmbedParams(part))
    except BadAudio as error:
        return error
    return last.part.waveform


def cut(audio, segments):
    """The steps, and what came of each segment."""
    params = EmbedSegmentsParams(audio, tuple(segments))
    steps = list(DECODER.decode(audio, params))
    parts, _ = read(steps)
    assert sorted(part.index for part in parts) == list(range(len(segments)))
    assert steps[-1].is_last
    return steps, [part.waveform for part in sorted(parts, key=lambda part: part.index)]


def read(steps):
    """The parts, and what ended them before their time."""
    parts = []
    try:
        parts.extend(step.part for step in steps if step.part is not None)
    except BadAudio as error:
        return parts, error
    return parts, None


def assert_same(one, other):
    if isinstance(other, BadAudio):
        assert one.kind == other.kind
    else:
        assert np.array_equal(one.samples, other.samples)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=8))
def test_each_is_what_it_is_alone(segments):
    _, cuts = cut(STEREO, segments)
    for one, segment in zip(cuts, segments, strict=True):
        assert_same(one, embed(STEREO, *segment))


def pcm_of(samples):
    return PcmAudio(np.asarray(samples, "<f4").tobytes(), "f32le", 16_000, 1)


def test_bad_samples_spoil_those_segments_alone_that_hold_them():
    samples = np.zeros(64_000, np.float32)
    samples[20_000], samples[40_000] = np.nan, 2e6
    audio = pcm_of(samples)
    segments = [(0, 1), (1, 2), (1.25, 1.3), (1.2, 2.6), (2.4, 2.6), (3, 4)]
    _, cuts = cut(audio, segments)
    kinds = [one.kind if isinstance(one, BadAudio) else None for one in cuts]
    assert kinds == [None, "non_finite", "non_finite", "non_finite", "out_of_range", None]
    assert [cuts[n].details["index"] for n in (1, 4)] == [20_000, 40_000]


def test_a_refusal_holds_nothing():
    samples = np.full(16_000, np.nan, np.float32)
    _, [error, *_] = cut(pcm_of(samples), [(0, 0.5), (0.2, 0.7)])
    assert error.kind == "non_finite"
    assert error.__traceback__ is error.__context__ is error.__cause__ is None


def test_what_is_too_long_is_so_whatever_its_samples_are():
    audio = pcm_of(np.full(64_000, np.nan, np.float32))
    _, [error] = cut(audio, [(0, 3)])
    assert_same(error, embed(audio, 0, 3))
    assert error.kind == "too_long"


def test_no_more_is_held_than_what_is_under_way():
    segments = [(n / 4, n / 4 + 0.3) for n in range(15)] + [(0.0, 2.0)]
    steps, _ = cut(STEREO, segments)
    # Two seconds and two blocks of two channels, which are mixed when a segment is complete.
    assert max(step.held_bytes for step in steps) <= 2 * 4 * (22_050 * 2 + 2 * 8192)
    assert steps[-1].held_bytes == 0


def test_nothing_is_held_between_segments():
    steps, _ = cut(STEREO, [(0, 0.1), (3.5, 3.6)])
    assert [step.held_bytes for step in steps][2:-3] == [0] * (len(steps) - 5)


def test_an_audio_is_read_once_and_no_further_than_needed(monkeypatch):
    read = []
    blocks = FlacFile.blocks

    def counted(self):
        for block in blocks(self):
            read.append(len(block))
            yield block

    monkeypatch.setattr(FlacFile, "blocks", counted)
    cut(STEREO, [(0, 1)] * 50 + [(0.5, 1.5)] * 50)
    assert sum(read) <= 22_050 * 1.5 + 8192


def test_what_was_cut_before_a_fault_stands():
    whole = encoded("FLAC", samples=NOISE, rate_hz=22_050)
    audio = FileAudio(whole[: len(whole) * 3 // 4], strict=True)
    segments = ((0.0, 1.0), (1.0, 2.0), (2.5, 4.0))
    parts, error = read(DECODER.decode(audio, EmbedSegmentsParams(audio, segments)))
    assert [part.index for part in parts] == [0, 1]
    assert error.kind == "truncated"


def test_an_audio_that_cannot_be_opened_has_no_parts():
    audio = FileAudio(b"no audio at all")
    with pytest.raises(BadAudio):
        next(DECODER.decode(audio, EmbedSegmentsParams(audio, ((0.0, 1.0), (7.0, 1.0)))))
