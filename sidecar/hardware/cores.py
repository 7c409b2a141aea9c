"""A core for each of two threads."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

# A thread that was given work has begun after 100 us. On Windows no sleep is as short as this.
_BEGINS_S = 0.0003
# Where ``/proc/self/task/*/stat`` has the core, counted behind the name, which may have spaces.
_CORE = 36


def make_way_for(other: threading.Thread, *, has_begun: bool) -> None:
    """Let ``other`` have its core; call it in a thread that gave it work, and goes on beside it.

    Python runs one thread at a time, so this one holds back until ``other`` has begun, as far as
    that can be foreseen.

    In a virtual machine, Linux takes a core that sleeps for one that its host has given to somebody
    else. So it wakes a thread on the core of the one that wakes it, though others are idle, and
    parts the two only milliseconds later. There, this one moves. It is not pinned: it may be moved
    again at once.
    """
    if not has_begun and os.name == "posix":
        time.sleep(_BEGINS_S)
    if sys.platform != "linux" or other.native_id is None:
        return
    try:
        core, cores = _core_of(other.native_id), os.sched_getaffinity(0)
        if len(cores) > 1:
            os.sched_setaffinity(0, cores - {core})
            os.sched_setaffinity(0, cores)
    except OSError:
        pass  # forbidden, or ``other`` has ended: this one stays where it is


def _core_of(native_id: int) -> int:
    stat = Path(f"/proc/self/task/{native_id}/stat").read_bytes()
    return int(stat.rpartition(b")")[2].split()[_CORE])
