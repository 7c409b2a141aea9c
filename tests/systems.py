"""Tests that not every system can run, marked with the reason, which the list of skips shows.

``@pytest.mark.posix("it has no fork")`` and its kin name the one system that a test is for.
``@pytest.mark.wine("it makes no junctions")`` is for what Wine does otherwise than Windows:
such a test runs on a real Windows, and is skipped under Wine.
"""

from __future__ import annotations

import ctypes
import sys

import pytest

IS_WINDOWS = sys.platform == "win32"
# Its ntdll says so; Microsoft's exports no such name.
IS_WINE = IS_WINDOWS and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")

_SKIPS = {
    "posix": (IS_WINDOWS, "POSIX's own"),
    "linux": (sys.platform != "linux", "Linux's own"),
    "windows": (not IS_WINDOWS, "Windows' own"),
    "wine": (IS_WINE, "not under Wine"),
}


def skip_what_is_elsewhere(items: list[pytest.Item]) -> None:
    """Have pytest skip what is not for this system."""
    for item in items:
        for name, (is_elsewhere, label) in _SKIPS.items():
            for mark in item.iter_markers(name):
                [reason] = mark.args  # a mark without one is a mistake
                if is_elsewhere:
                    item.add_marker(pytest.mark.skip(reason=f"{label}: {reason}"))
