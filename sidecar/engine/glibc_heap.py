"""Keeps glibc's heap no larger than it needs to be; elsewhere there is nothing to do."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 2**20
_SPARE_BYTES = 4 * 2**20


def keep_large_blocks_apart() -> None:
    """Let each large block be mapped by itself, so that the system has it back once it is freed.

    glibc would soon put them into its heap, since it takes a block that was freed for one that will
    be wanted again. But a buffer that has another size with each new length of audio leaves a hole,
    which what lies behind it keeps: with ECAPA-TDNN, 60 MB after a hundred utterances. Only for a
    network that holds its buffers: what asks for large blocks all the time gets them slower.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        # Setting one ends the tuning of both; by default it would give back 128 KiB, and ask again.
        mallopt(_M_TRIM_THRESHOLD, _SPARE_BYTES)


def give_back_what_is_free() -> None:
    """Give the system back what the heap holds and nobody uses: a few milliseconds."""
    malloc_trim = _function("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
