"""Python's UTF-8 mode, whatever the locale says.

Without it a path is what the locale's encoding makes of it: in an ASCII one, no path with an umlaut
can be opened, nor a library be loaded from a folder that has one in its name.
"""

from __future__ import annotations

import contextlib
import os
import sys

from sidecar.bundle import is_bundle


def restart_in_utf8_mode() -> None:
    """Have Python begin anew, as the same process, where paths are not UTF-8 to it.

    On Windows and macOS they always are, and a bundle begins that way. ``-X utf8=0`` is obeyed.
    """
    is_told = "utf8" in sys._xoptions  # noqa: SLF001 - Python documents it
    if sys.getfilesystemencoding() == "utf-8" or is_told or is_bundle():
        return
    # If it cannot be done, all works but such paths.
    with contextlib.suppress(OSError):
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
