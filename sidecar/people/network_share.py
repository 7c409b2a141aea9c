"""Whether a file lies on another machine, where SQLite's WAL does not work.

Its readers and writers share memory, which two machines cannot. Source: sqlite.org/wal.html.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path

_DRIVE_REMOTE = 4
_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "fuse.sshfs"})
# How a blank and the like are written in it.
_OCTAL = re.compile(r"\\([0-7]{3})")
_MOUNTS = Path("/proc/self/mounts")


def is_on_network(file: Path) -> bool:
    """Whether ``file``, which is absolute, is on a share; False where the system does not tell."""
    if sys.platform == "win32":
        anchor = os.path.splitdrive(file.resolve())[0]
        return anchor.startswith("\\\\") or (
            ctypes.windll.kernel32.GetDriveTypeW(f"{anchor}\\") == _DRIVE_REMOTE
        )
    try:
        mounts = os.fsdecode(_MOUNTS.read_bytes())
    except OSError:
        return False
    return _file_system(file.resolve(), mounts) in _FILE_SYSTEMS


def _file_system(file: Path, mounts: str) -> str:
    """The type of the innermost of the ``mounts`` (as proc(5) has them) that ``file`` is in."""
    innermost, kind = "", ""
    for line in mounts.splitlines():
        _, place, found, *_ = line.split(" ")
        folder = _OCTAL.sub(lambda found: chr(int(found[1], 8)), place)
        if len(folder) >= len(innermost) and file.is_relative_to(folder):
            innermost, kind = folder, found
    return kind
