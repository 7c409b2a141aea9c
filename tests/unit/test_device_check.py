from __future__ import annotations

import numpy as np
import pytest

from sidecar.engine import device_check


@pytest.mark.parametrize("row", [0, 1])
def test_right_embeddings_pass_and_a_wrong_one_does_not(row):
    reference = np.random.default_rng(0).normal(size=(2, 192))
    assert device_check.compare(reference.astype(np.float32), reference).passed
    wrong = reference.copy()
    wrong[row, :20] = -wrong[row, :20]
    found = device_check.compare(wrong.astype(np.float32), reference)
    assert not found.passed
    assert found.cosine < device_check.MIN_COSINE["bf16"]


def test_bf16_may_be_further_away():
    reference = np.random.default_rng(0).normal(size=(2, 192))
    near = (reference * (1 + 0.04 * np.sin(np.arange(192)))).astype(np.float32)
    assert not device_check.compare(near, reference).passed
    assert device_check.compare(near, reference, "bf16").passed


@pytest.mark.parametrize("row", [0, 1])
def test_what_is_not_a_number_does_not_pass(row):
    embeddings = np.ones((2, 192), np.float32)
    embeddings[row, 7] = np.nan
    assert not device_check.compare(embeddings, np.ones((2, 192))).passed


def test_the_second_waveform_is_shorter_so_that_a_mask_is_checked():
    longer, shorter = device_check.waveforms()
    assert 0 < len(shorter) < len(longer)
    assert np.array_equal(shorter, longer[: len(shorter)])


def test_the_waveform_is_speechlike_and_always_the_same():
    waveform = device_check.waveform()
    assert waveform.shape == (16_000,)
    assert waveform.dtype == np.float32
    assert 0.05 < np.abs(waveform).max() < 1
    assert waveform[:4].tolist() == pytest.approx(FIRST_SAMPLES, abs=1e-7)


VALUES = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
FIRST_SAMPLES = [-0.00263544, 0.0101251, 0.0175089, 0.0192992]


class Computed:
    """Counts how often the reference is computed."""

    def __init__(self):
        self.n_times = 0

    def __call__(self):
        self.n_times += 1
        return np.array(VALUES)


def test_the_reference_is_computed_once_and_kept(tmp_path):
    compute, path = Computed(), tmp_path / "new" / "folder" / "reference"
    first = device_check.keep_references(path, compute)
    second = device_check.keep_references(path, compute)
    assert compute.n_times == 1
    assert first.tolist() == second.tolist() == VALUES
    assert [p.name for p in path.parent.iterdir()] == ["reference"]


@pytest.mark.parametrize("damage", [b"", b"x" * 10, None])
def test_a_damaged_reference_is_computed_anew(tmp_path, damage):
    compute, path = Computed(), tmp_path / "reference"
    device_check.keep_references(path, compute)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + b"\0" if damage is None else damage)
    assert device_check.keep_references(path, compute).tolist() == VALUES
    assert compute.n_times == 2
    assert path.read_bytes() == kept


def test_a_folder_that_cannot_be_written_in_costs_only_time(tmp_path):
    compute = Computed()
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "reference"  # below a file, where nothing can be
    for _ in range(2):
        assert device_check.keep_references(path, compute).tolist() == VALUES
    assert compute.n_times == 2
