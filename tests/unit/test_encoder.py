from __future__ import annotations

import numpy as np
import pytest

from protocol.errors import BadAudio, OutOfMemory
from sidecar.audio import Waveform
from sidecar.encoder import (
    SELF_TEST_MIN_COSINE,
    Embedding,
    Encoder,
    compare,
    fingerprint,
    self_test_waveform,
)
from sidecar.models.catalog import MODELS

CARD = MODELS["campplus-zh-en"]


class Runtime:
    """Gives what it is told to give."""

    def __init__(self, *results):
        self.results = list(results)

    def embed(self, samples):
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return np.array(result, np.float32)


def waveforms(n):
    return [Waveform(np.zeros(1000, np.float32)) for _ in range(n)]


def test_an_embedding_is_packed_as_it_is_or_with_length_one():
    embedding = Embedding(np.array([3, 4], np.float32))
    assert embedding.packed(normalize=False) == np.array([3, 4], "<f4").tobytes()
    assert embedding.packed(normalize=True) == np.array([0.6, 0.8], "<f4").tobytes()


def test_one_waveform_that_does_not_fit_spoils_no_other():
    runtime = Runtime([1, 2], OutOfMemory("too little"), [np.nan, 1], [3, 4])
    encoder = Encoder(None, None, None, runtime)
    first, no_memory, not_finite, last = encoder.embed(waveforms(4))
    assert first.values.tolist() == [1, 2]
    assert isinstance(no_memory, OutOfMemory)
    assert isinstance(not_finite, BadAudio)
    assert not_finite.kind == "non_finite"
    assert last.values.tolist() == [3, 4]


def test_the_self_test_tells_a_right_embedding_from_a_wrong_one():
    reference = np.random.default_rng(0).normal(size=192)
    assert compare(reference.astype(np.float32), reference).passed
    wrong = reference.copy()
    wrong[:20] = -wrong[:20]
    found = compare(wrong.astype(np.float32), reference)
    assert not found.passed
    assert found.cosine < SELF_TEST_MIN_COSINE


def test_the_self_test_does_not_pass_what_is_not_a_number():
    reference = np.ones(192)
    assert not compare(np.full(192, np.nan, np.float32), reference).passed


def test_the_fingerprint_changes_with_the_recipe():
    assert fingerprint(CARD, "a") == fingerprint(CARD, "a")
    assert fingerprint(CARD, "a") != fingerprint(CARD, "b")
    assert fingerprint(CARD, "a").startswith("campplus-zh-en.")


def test_the_self_test_waveform_is_speechlike_and_always_the_same():
    waveform = self_test_waveform()
    assert waveform.shape == (16_000,)
    assert waveform.dtype == np.float32
    assert 0.05 < np.abs(waveform).max() < 1
    assert np.array_equal(waveform, self_test_waveform())
    assert waveform[:4].tolist() == pytest.approx(FIRST_SAMPLES, abs=1e-7)


FIRST_SAMPLES = [-0.00263544, 0.0101251, 0.0175089, 0.0192992]
