from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from sidecar.store import shared_folder
from sidecar.store.converted_files import (
    MANIFEST,
    REFERENCES,
    Origin,
    find,
    making,
    place,
)

ORIGIN = Origin("ecapa.0123", "openvino", "2026.4.1-22982-abc", "ecapa.0123.456")
FOLDER = ORIGIN.folder_name
VALUES = np.array([[0.1, -0.2], [0.3, -0.4]])


def never():
    raise AssertionError("nobody else converts")


def fill(work, files=ORIGIN.files):
    for name in files:
        (work / name).write_bytes(name.encode())
    VALUES.tofile(work / REFERENCES)


def make(root, origin=ORIGIN):
    with making(root, never) as work:
        fill(work)
        return place(work, root, origin)


def names_in(root):
    """But for the lock, which Windows removes and POSIX keeps."""
    return sorted(path.name for path in root.iterdir() if path.name != ".lock")


def test_what_was_placed_is_found(tmp_path):
    assert find(tmp_path / "root", ORIGIN) is None
    made = make(tmp_path / "root")
    found = find(tmp_path / "root", ORIGIN)
    assert made == found
    assert found.folder == tmp_path / "root" / FOLDER
    assert found.first.read_bytes() == b"first.xml"
    assert found.second.read_bytes() == b"second.xml"
    assert found.references().tolist() == VALUES.tolist()
    assert names_in(tmp_path / "root") == [FOLDER]


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "ecapa.9"},
        {"runtime": "onnxruntime"},
        {"version": "2027.0.0-1"},
        {"reference": "x"},
        {"precision": "int8"},
        {"program": "9"},
    ],
)
def test_another_origin_is_not_taken_for_this_one(tmp_path, change):
    other = replace(ORIGIN, **change)
    with making(tmp_path, never) as work:
        fill(work, other.files)
        place(work, tmp_path, other)
    if other.folder_name != FOLDER:
        (tmp_path / other.folder_name).rename(tmp_path / FOLDER)
    assert find(tmp_path, ORIGIN) is None


def test_two_releases_leave_each_others_files_alone(tmp_path):
    """Else each would make them anew at every start."""
    other = replace(ORIGIN, program="another release")
    mine, theirs = make(tmp_path), make(tmp_path, other)
    assert mine.folder != theirs.folder
    assert find(tmp_path, ORIGIN) == mine
    assert find(tmp_path, other) == theirs


def test_what_was_not_used_for_a_month_goes_when_another_is_made(tmp_path):
    used, unused = (make(tmp_path, replace(ORIGIN, program=name)) for name in ("used", "unused"))
    for made, days in ((used, 40), (unused, 31)):
        long_ago = time.time() - days * 86_400
        for path in (made.folder / MANIFEST, made.folder):
            os.utime(path, (long_ago, long_ago))
    assert find(tmp_path, replace(ORIGIN, program="used")) == used
    make(tmp_path)
    assert used.folder.exists()
    assert not unused.folder.exists()


def test_what_an_older_bundle_had_compiled_goes_when_a_newer_one_starts(tmp_path):
    bundle, root = make(tmp_path / "bundle"), tmp_path / "root"
    older, mine = root / "ecapa.0123-older", root / FOLDER
    for folder in (older, mine):
        (folder / "compiled").mkdir(parents=True)
        long_ago = time.time() - 31 * 86_400
        os.utime(folder, (long_ago, long_ago))
    assert bundle.compiled_below(root).compiled == mine / "compiled"
    assert [path.name for path in root.iterdir()] == [FOLDER]


def test_a_later_build_of_the_same_release_is_another(tmp_path):
    make(tmp_path)
    assert find(tmp_path, replace(ORIGIN, version="2026.4.1-99999-def")) is None


def test_of_what_is_a_bundles_not_even_a_date_is_changed(tmp_path):
    made = make(tmp_path)
    os.utime(made.folder / "manifest.json", (1, 1))
    assert find(tmp_path, ORIGIN, is_own=False) == made
    assert (made.folder / "manifest.json").stat().st_mtime == 1
    find(tmp_path, ORIGIN)
    assert (made.folder / "manifest.json").stat().st_mtime > 1


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip_a_bit, cut, os.unlink])
@pytest.mark.parametrize("name", ORIGIN.files)
def test_damage_is_noticed_and_mended(tmp_path, name, damage):
    damage(make(tmp_path).folder / name)
    assert find(tmp_path, ORIGIN) is None
    made = make(tmp_path)
    assert find(tmp_path, ORIGIN) == made
    assert names_in(tmp_path) == [FOLDER]


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"origin": 1}', '{"sha256": {}}', "\ud800", "null"]
)
def test_a_manifest_of_any_kind_is_no_manifest(tmp_path, text):
    folder = make(tmp_path).folder
    origin = json.loads((folder / "manifest.json").read_text("utf-8"))["origin"]
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert find(tmp_path, ORIGIN) is None
    (folder / "manifest.json").write_text(json.dumps({"origin": origin, "sha256": []}))
    assert find(tmp_path, ORIGIN) is None


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), making(tmp_path, never) as work:
        place(work, tmp_path, ORIGIN)  # nothing is in it
    assert names_in(tmp_path) == []


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    (tmp_path / ".convert-abc").mkdir()
    (tmp_path / ".convert-abc" / "network.bin").write_bytes(b"half")
    make(tmp_path)
    assert names_in(tmp_path) == [FOLDER]


def test_the_second_waits_for_the_first(tmp_path):
    lock = FileLock(tmp_path / ".lock")
    lock.acquire()
    waits = []

    def wait():
        waits.append(1)
        lock.release()

    with making(tmp_path, wait) as work:
        assert work.is_dir()
    assert waits == [1]


def test_a_folder_that_cannot_be_written_in_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"), making(tmp_path / "file" / "root", never):
        pass


def test_a_scanner_that_holds_a_file_is_outwaited(tmp_path, monkeypatch):
    pauses = []
    replace = type(tmp_path).replace

    def held(self, target):
        if len(pauses) < 3:
            raise PermissionError("in use")
        return replace(self, target)

    monkeypatch.setattr(type(tmp_path), "replace", held)
    monkeypatch.setattr(shared_folder.time, "sleep", pauses.append)
    make(tmp_path)
    assert find(tmp_path, ORIGIN) is not None
    assert len(pauses) == 3


@pytest.mark.posix("its permissions have a group and others")
def test_other_users_may_read_what_was_made(tmp_path):
    umask = os.umask(0o022)
    try:
        assert make(tmp_path).folder.stat().st_mode & 0o055 == 0o055
    finally:
        os.umask(umask)
