from __future__ import annotations

import pytest

from sidecar.store.checksummed_file import read_checksummed, write_checksummed


def test_what_was_kept_is_read(tmp_path):
    path = tmp_path / "new" / "file"
    assert read_checksummed(path) is None
    write_checksummed(path, b"content")
    assert read_checksummed(path) == b"content"
    write_checksummed(path, b"other")
    assert read_checksummed(path) == b"other"
    assert [found.name for found in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: b"", lambda c: b"x" + c])
def test_damage_counts_as_nothing(tmp_path, change):
    write_checksummed(tmp_path / "file", b"content")
    (tmp_path / "file").write_bytes(change((tmp_path / "file").read_bytes()))
    assert read_checksummed(tmp_path / "file") is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    write_checksummed(tmp_path / "file" / "below", b"content")
    (tmp_path / "folder").mkdir()
    write_checksummed(tmp_path / "folder", b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
