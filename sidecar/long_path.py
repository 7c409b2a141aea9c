r"""Paths that are too long for Windows unless ``\\?\`` stands before them."""

from __future__ import annotations

import ntpath
import re
import sys

# With the NUL at its end; of folders that are made, and of names, even less.
_MAX_PATH = 260
_DRIVE = re.compile(r"[A-Za-z]:\\")


def of_any_length(path: str, *, windows: bool = sys.platform == "win32") -> str:
    r"""``path``, spelled so that Windows reads it however long it is; elsewhere as it is.

    Without ``\\?\`` Windows finds nothing beyond 259 characters, unless its user has changed that.
    Behind it a path is taken word for word, so ``..`` and slashes are resolved before. Only what is
    absolute and on a drive is spelled anew, so a path that is refused for its spelling must be
    refused before. Source: learn.microsoft.com, "Maximum Path Length Limitation".
    """
    if windows and len(path) >= _MAX_PATH:
        plain = ntpath.normpath(path)
        if _DRIVE.match(plain):
            return f"\\\\?\\{plain}"
    return path
