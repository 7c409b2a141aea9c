"""Microsoft's C++ runtime in a bundle: there, and recent.

Libraries of 2024 and later crash in an older ``msvcp140.dll``, and which one a user's system has is
unknown; what lies beside the program comes before it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAME = "msvcp140.dll"
# The first release in which a lock needs no construction; torch from 2.9 on counts on it.
OLDEST = (14, 40)


def ship_runtime(bundle: Path) -> str:
    """Put this system's ``msvcp140.dll`` into the bundle, unless it has a newer one; what it did.

    Raises:
        SystemExit: there is none that is recent enough.
    """
    inside = bundle / "_internal" / NAME
    installed = Path(os.environ["SYSTEMROOT"], "System32", NAME)
    found = {path: file_version(path) for path in (inside, installed) if path.exists()}
    newest = max(found, key=lambda path: found[path], default=None)
    if newest is None or found[newest] < OLDEST:
        raise SystemExit(
            f"{NAME} {'.'.join(map(str, OLDEST))} or later is needed: install Microsoft's Visual "
            "C++ Redistributable, and build again"
        )
    if newest != inside:
        shutil.copy2(newest, inside)
    return f"{NAME} {'.'.join(map(str, found[newest]))} is inside"


def file_version(path: Path) -> tuple[int, ...]:
    """The release in a library's version resource, four numbers; PyInstaller brings pefile."""
    import pefile  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415

    library = pefile.PE(str(path), fast_load=True)
    library.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]])
    [about] = library.VS_FIXEDFILEINFO
    high, low = about.FileVersionMS, about.FileVersionLS
    return (high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF)
