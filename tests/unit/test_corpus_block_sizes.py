"""How a source is cut into blocks: as work, rather than as rows."""

from __future__ import annotations

import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

import pyarrow as pa

from sidecar.corpus.blocks import blocks_of
from sidecar.corpus.tables import SOURCE, listed_of

HOUR_BYTES = 3600 * 16_000


def listed(n, **columns):
    rows = [{"id": f"u{row}", "path": f"/{row}.wav", **columns} for row in range(n)]
    return pa.Table.from_pylist(rows, SOURCE)


def sizes(table, *given):
    return [block.num_rows for block in blocks_of(table, *given)]


@pytest.mark.parametrize("given", [(2,), (300,), (2, 7)])
def test_every_row_is_in_one_block_in_its_place(given):
    ids = [row.id for block in blocks_of(listed(1000), *given) for row in listed_of(block)]
    assert ids == [f"u{n}" for n in range(1000)]


def test_there_are_many_for_each_actor_and_small_ones_at_the_end():
    found = sizes(listed(1600), 2)
    assert found[:9] == [100] * 9
    assert found[9:] == sorted(found[9:], reverse=True)
    # Each actor has two of them at a time.
    assert sum(found[-4:]) <= 4 * 7


def test_a_large_source_has_half_an_hour_of_audio_in_each_block():
    assert max(sizes(listed(20_000), 2)) == 450
    assert max(sizes(listed(20_000, start_s=1.0, end_s=3.0), 2)) == 500
    assert max(sizes(listed(20_000, n_bytes=0), 2)) == 500


def test_long_recordings_are_blocks_of_their_own():
    assert set(sizes(listed(1000, n_bytes=HOUR_BYTES), 2)) == {1}
    assert set(sizes(listed(1000, start_s=0.0, end_s=3600.0), 2)) == {1}


def test_a_part_of_a_long_recording_is_no_long_one():
    assert min(sizes(listed(1600, start_s=60.0, end_s=64.0, n_bytes=HOUR_BYTES), 2)[:9]) == 100


def test_there_are_not_too_many_blocks():
    assert len(sizes(listed(50_000, n_bytes=HOUR_BYTES), 2)) <= 20_010


def test_who_asks_for_so_many_rows_gets_them():
    assert sizes(listed(5, n_bytes=HOUR_BYTES), 2, 2) == [2, 2, 1]


def test_one_row_is_one_block():
    assert sizes(listed(1), 300) == [1]
