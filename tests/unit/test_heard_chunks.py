"""How a recording is cut into chunks as it comes, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest
from light_segmenter import LightSegmenter

from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.chunks import CHUNK_SAMPLES, FRAME_SAMPLES, frame_start
from sidecar.diarization.heard_chunks import HeardChunks

NOISE = np.random.default_rng(0).standard_normal(200 * SAMPLE_RATE_HZ).astype(np.float32)
FIRST, SECOND = 0.05, 0.2


class Noting(LightSegmenter):
    """Notes where the chunks lie, by their samples."""

    def __init__(self):
        super().__init__()
        self.chunks = []

    def hear(self, chunk):
        self.chunks.append((int(chunk[0]), int(chunk[-1]) + 1))
        return super().hear(np.zeros(0, np.float32))


def hear(samples, segmenter, piece=8 * SAMPLE_RATE_HZ):
    heard = HeardChunks(segmenter)
    parts, most_held = [], 0
    for start in range(0, len(samples), piece):
        heard.append(samples[start : start + piece])
        is_end = start + piece >= len(samples)
        while heard.has_chunk(is_end=is_end):
            most_held = max(most_held, heard.n_bytes)
            parts += heard.next_voices()
    return heard.activity, parts, most_held


def chunks_of(n_samples, **more):
    segmenter = Noting()
    # Below 2^24 each number is a float32.
    activity, _, _ = hear(np.arange(n_samples, dtype=np.float32), segmenter, **more)
    assert activity.n_samples == n_samples
    firsts = [chunk.first_frame * FRAME_SAMPLES for chunk in activity.chunks]
    assert firsts == [start for start, _ in segmenter.chunks]
    return segmenter.chunks


@pytest.mark.parametrize("n_samples", [1, 16_000, CHUNK_SAMPLES])
def test_what_is_no_longer_than_a_chunk_is_one(n_samples):
    assert chunks_of(n_samples) == [(0, n_samples)]


@pytest.mark.parametrize("n_samples", [CHUNK_SAMPLES + 1, 250_000, 1_000_001, 2_500_000])
@pytest.mark.parametrize("piece", [8 * SAMPLE_RATE_HZ, 5_000_000, 33_333])
def test_chunks_overlap_to_the_end(n_samples, piece):
    chunks = chunks_of(n_samples, piece=piece)
    starts = np.array([start for start, _ in chunks])
    assert all(end - start == CHUNK_SAMPLES for start, end in chunks[:-1])
    assert chunks[-1][1] == n_samples
    assert CHUNK_SAMPLES - FRAME_SAMPLES < n_samples - starts[-1] <= CHUNK_SAMPLES
    hops_s = np.diff(starts)[:-1] / SAMPLE_RATE_HZ
    in_first_minute = starts[:-2] < 50 * SAMPLE_RATE_HZ
    assert np.abs(hops_s[in_first_minute] - 1).max(initial=0) < 0.02
    assert np.abs(hops_s[~in_first_minute] - 2).max(initial=0) < 0.02


def test_nothing_at_all_has_no_chunk():
    heard = HeardChunks(Noting())
    assert not heard.has_chunk(is_end=True)
    assert heard.activity.n_samples == 0


def test_a_voice_is_of_the_samples_of_its_stretch():
    samples = np.concatenate((NOISE[:48_000] * FIRST, NOISE[:144_000] * SECOND))
    activity, parts, _ = hear(samples, LightSegmenter())
    assert [part.index for part in parts] == list(range(max(activity.parts) + 1))
    for number, part in enumerate(parts):
        place = activity.voices[activity.parts.index(number)]
        chunk_start = activity.chunks[place.chunk].first_frame * FRAME_SAMPLES
        start = chunk_start + frame_start(place.stretch[0])
        waveform = part.waveform
        assert waveform.start_sample == chunk_start
        assert np.array_equal(waveform.samples, samples[start : start + waveform.n_samples])
    assert {place.speaker for place in activity.voices} == {0, 1}


def test_what_several_chunks_hear_alike_is_embedded_once():
    samples = np.zeros(20 * SAMPLE_RATE_HZ, np.float32)
    samples[8 * SAMPLE_RATE_HZ : 11 * SAMPLE_RATE_HZ] = FIRST
    activity, parts, _ = hear(samples, LightSegmenter())
    assert len(activity.parts) == len(activity.voices) >= 9
    # Three pieces, and those that the ends of chunks cut.
    assert len(parts) == len(set(activity.parts)) <= 7
    lengths_s = [part.waveform.n_samples / SAMPLE_RATE_HZ for part in parts]
    for place, vector in activity.embedded(3 * np.eye(len(parts), dtype=np.float32)):
        first, last = place.stretch
        length_s = lengths_s[int(vector.argmax())]
        assert (last - first) * FRAME_SAMPLES / SAMPLE_RATE_HZ == pytest.approx(length_s, abs=0.4)
        assert np.linalg.norm(vector) == 1


class Wavering(LightSegmenter):
    """Hears the ends of a stretch so many frames earlier at every chunk."""

    def __init__(self, n_frames):
        super().__init__()
        self.n_frames = n_frames

    def hear(self, chunk):
        heard = super().hear(chunk)
        return np.roll(heard, -self.n_frames * self.n_heard, axis=0)


@pytest.mark.parametrize(("n_frames", "n_parts"), [(1, 1), (15, 4)])
def test_alike_is_within_a_fifth_of_a_second(n_frames, n_parts):
    samples = np.zeros(12 * SAMPLE_RATE_HZ, np.float32)
    samples[5 * SAMPLE_RATE_HZ : 5 * SAMPLE_RATE_HZ + 22_000] = FIRST
    activity, parts, _ = hear(samples, Wavering(n_frames))
    assert len(activity.parts) == len(activity.chunks) == 4
    assert len(parts) == n_parts


def test_of_a_long_recording_little_is_held():
    quiet = np.zeros(40 * 60 * SAMPLE_RATE_HZ, np.float32)
    activity, parts, most_held = hear(quiet, LightSegmenter())
    assert parts == []
    assert most_held <= 4 * (CHUNK_SAMPLES + 2 * 8 * SAMPLE_RATE_HZ)
    kept = sum(chunk.activity.nbytes + chunk.speaks.nbytes for chunk in activity.chunks)
    assert kept < 5e6
