"""Keeps glibc's heap from growing with OpenVINO's buffers; elsewhere there is nothing to do."""

from __future__ import annotations

import ctypes
import sys

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 8 * 2**20
_SPARE_BYTES = 32 * 2**20


def keep_large_blocks_apart() -> None:
    """Let each large block be mapped by itself, so that the system has it back once it is freed.

    glibc would soon put them into its heap, since it takes a block that was freed for one that will
    be wanted again. But OpenVINO's buffers have a new size with each new length of audio, and what
    lies behind a freed one keeps it: with ECAPA-TDNN, 50 MB after a hundred utterances. Not for
    torch, which frees and asks again with every layer.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        # Setting one ends the tuning of both; by default it would give back 128 KiB, and ask again.
        mallopt(_M_TRIM_THRESHOLD, _SPARE_BYTES)
