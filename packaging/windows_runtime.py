"""Microsoft's C++ runtime in a bundle: there, recent, and of one release.

Libraries of 2024 and later crash in an older ``msvcp140.dll``, and which one a user's system has is
unknown; what lies beside the program comes before it. The runtime's libraries call each other, and
are installed as a set.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import closing
from pathlib import Path

from build_failed import BuildFailed

NAME = "msvcp140.dll"
# ``torch_cpu.dll`` imports it, and PyInstaller takes it for a part of Windows, which it is not.
TORCH_NAME = "vcruntime140_threads.dll"
# The first release in which a lock needs no construction; torch from 2.9 on counts on it.
OLDEST = (14, 40)
# What one installation of the runtime brings, such as vcruntime140_1.dll. Copies of it that wheels
# renamed (msvcp140-0123abcd.dll) are for those wheels alone, and stay.
_SET = re.compile(r"(concrt|msvcp|vccorlib|vcomp|vcruntime)140\w*\.dll", re.IGNORECASE)


def ship_runtime(bundle: Path) -> str:
    """Put this system's ``msvcp140.dll`` into the bundle, and renew the others of the set there.

    Beside torch ``vcruntime140_threads.dll`` comes in, too. What is newer in the bundle stays.
    Returns what is inside then.

    Raises:
        BuildFailed: one of the two is needed, and there is none that is recent enough.
    """
    internal = bundle / "_internal"
    needed = [NAME, TORCH_NAME] if (internal / "torch").is_dir() else [NAME]
    names = {
        path.name.lower(): path.name for path in internal.iterdir() if _SET.fullmatch(path.name)
    }
    names = {name: name for name in needed} | names
    versions = {lower: _renew(internal / name) for lower, name in sorted(names.items())}
    for name in needed:
        if versions[name] < OLDEST:
            raise BuildFailed(
                f"{name} {_shown(OLDEST)} or later is needed: install Microsoft's Visual C++ "
                "Redistributable, and build again"
            )
    return "inside: " + ", ".join(f"{name} {_shown(has)}" for name, has in versions.items())


def _renew(inside: Path) -> tuple[int, ...]:
    """Put this system's library in that place if it is newer; the release there, empty if none."""
    installed = Path(os.environ["SYSTEMROOT"], "System32", inside.name)
    before = file_version(inside) if inside.exists() else ()
    newest = file_version(installed) if installed.exists() else ()
    if newest > before:
        shutil.copy2(installed, inside)
    return max(before, newest)


def file_version(path: Path) -> tuple[int, ...]:
    """The release in a library's version resource, four numbers; PyInstaller brings pefile."""
    import pefile  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415

    # Closed, for Windows writes over no file that is still mapped.
    with closing(pefile.PE(str(path), fast_load=True)) as library:
        library.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]])
        [about] = library.VS_FIXEDFILEINFO
        high, low = about.FileVersionMS, about.FileVersionLS
    return (high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF)


def _shown(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
