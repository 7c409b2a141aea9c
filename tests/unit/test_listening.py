"""An audio in pieces is what it is whole, and no more of it is kept than a step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.speech.listening import CONTEXT_SAMPLES, Listening
from sidecar.speech.segments import STEP_SAMPLES

SAMPLES = np.random.default_rng(0).standard_normal(5_000).astype(np.float32)


def judge(frames, memory):
    """What depends on every sample of a frame, and on all frames before it."""
    assert frames.shape[1] == CONTEXT_SAMPLES + STEP_SAMPLES
    weights = np.arange(1, frames.shape[1] + 1)
    total = memory[0][0, 0, 0] + np.cumsum(frames.astype(np.float64) @ weights)
    return total.astype(np.float32), (np.full((1, 1, 128), total[-1]), memory[1])


def heard(*pieces):
    listening = Listening(judge)
    return np.concatenate([*(listening.feed(piece) for piece in pieces), listening.finish()])


@given(cuts=st.lists(st.integers(0, len(SAMPLES)), max_size=8))
def test_pieces_are_what_the_whole_is(cuts):
    pieces = np.split(SAMPLES, sorted(cuts))
    np.testing.assert_allclose(heard(*pieces), heard(SAMPLES), rtol=1e-6)


@given(at=st.integers(0, len(SAMPLES)))
def test_the_last_piece_may_come_with_the_end(at):
    listening = Listening(judge)
    found = np.concatenate((listening.feed(SAMPLES[:at]), listening.finish(SAMPLES[at:])))
    np.testing.assert_allclose(found, heard(SAMPLES), rtol=1e-6)


def test_a_step_sees_the_end_of_the_one_before_it():
    seen = []

    def look(frames, memory):
        seen.extend(frames)
        return np.zeros(len(frames), np.float32), memory

    listening = Listening(look)
    listening.feed(SAMPLES[:1_100])
    listening.finish()
    assert len(seen) == 3
    np.testing.assert_array_equal(seen[0][:CONTEXT_SAMPLES], 0)
    np.testing.assert_array_equal(seen[0][CONTEXT_SAMPLES:], SAMPLES[:512])
    np.testing.assert_array_equal(seen[1], SAMPLES[512 - 64 : 1_024])
    np.testing.assert_array_equal(seen[2][:140], SAMPLES[1_024 - 64 : 1_100])
    np.testing.assert_array_equal(seen[2][140:], 0)


@pytest.mark.parametrize(("n_samples", "n_steps"), [(0, 0), (1, 1), (512, 1), (513, 2)])
def test_the_last_step_is_filled_up(n_samples, n_steps):
    assert len(heard(SAMPLES[:n_samples])) == n_steps


def test_no_more_is_kept_than_a_step():
    listening = Listening(judge)
    for _ in range(50):
        listening.feed(SAMPLES)
        assert len(listening._held) < CONTEXT_SAMPLES + STEP_SAMPLES
        assert listening._held.base is None
