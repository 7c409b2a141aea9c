"""Whether a gallery lies on another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.people import network_share

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/anna/local ext4 rw 0 0
//server/share /mnt/unser\\040Gerät cifs rw 0 0
"""


@pytest.mark.linux("it tells its mounts in /proc")
@pytest.mark.parametrize(
    ("file", "is_there"),
    [
        ("/var/lib/people.db", False),
        ("/home/anna/people.db", True),
        ("/homes/people.db", False),
        ("/home/anna/local/people.db", False),
        ("/mnt/unser Gerät/people.db", True),
    ],
)
def test_the_innermost_mount_decides(file, is_there, tmp_path, monkeypatch):
    (tmp_path / "mounts").write_text(MOUNTS, "utf-8")
    monkeypatch.setattr(network_share, "_MOUNTS", tmp_path / "mounts")
    assert network_share.is_on_network(Path(file)) is is_there


@pytest.mark.posix("another test is for Windows")
def test_where_nothing_is_told_it_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(network_share, "_MOUNTS", tmp_path / "nothing")
    assert not network_share.is_on_network(tmp_path / "people.db")


@pytest.mark.windows("drives have letters, and shares two backslashes")
def test_on_windows_the_drive_decides(tmp_path):
    assert not network_share.is_on_network(tmp_path / "people.db")
    assert network_share.is_on_network(Path(r"\\server\share\people.db"))
