import numpy as np
import pytest
from unit.made_voices import voices

pytest.importorskip("scipy", reason="scipy, of the extra [corpus], is not installed")

from sidecar.corpus.clusters import cluster


def in_pieces(units, size=17):
    return lambda: (units[start : start + size] for start in range(0, len(units), size))


def same_partition(labels, expected):
    pairs = set(zip(labels.tolist(), expected.tolist(), strict=True))
    return len(pairs) == len(set(labels.tolist())) == len(set(expected.tolist()))


@pytest.mark.parametrize("most", [8000, 40], ids=["at once", "in rounds"])
def test_people_are_told_apart(most):
    units = voices(12, 20)
    labels = cluster(in_pieces(units), len(units), 0.4, most=most)
    assert same_partition(labels, np.repeat(np.arange(12), 20))


@pytest.mark.parametrize("most", [8000, 40], ids=["at once", "in rounds"])
def test_as_many_as_are_known(most):
    units = voices(6, 30, likeness=0.6)
    labels = cluster(in_pieces(units), len(units), 0.9, n_speakers=6, most=most)
    assert set(labels.tolist()) == set(range(6))


def test_rounds_find_who_was_in_no_sample():
    units = np.concatenate([voices(1, 200), voices(30, 2, seed=1)])
    labels = cluster(in_pieces(units), len(units), 0.4, most=20)
    expected = np.concatenate([np.zeros(200, int), 1 + np.repeat(np.arange(30), 2)])
    assert same_partition(labels, expected)


def test_the_largest_comes_first():
    units = np.concatenate([voices(1, 3), voices(1, 9, seed=1), voices(1, 5, seed=2)])
    labels = cluster(in_pieces(units), len(units), 0.4)
    assert np.bincount(labels).tolist() == [9, 5, 3]


def test_one_row_is_one_person():
    assert cluster(in_pieces(voices(1, 1)), 1, 0.4).tolist() == [0]
