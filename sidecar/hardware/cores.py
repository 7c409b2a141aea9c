"""Two threads at work, and a core for each."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

# For how long a thread that was given work takes to begin with it: 100 us. On Windows the shortest
# sleep is several times as long.
_BEGINS_S = 0.0003
# Where ``/proc/self/task/*/stat`` has the core, counted behind the name, which may have spaces.
_CORE = 36


def make_way_for(other: threading.Thread, *, has_begun: bool) -> None:
    """Leave its core to ``other``; call it in a thread that goes on working beside it.

    Python runs one thread at a time. If ``other`` has not begun yet, this one holds back until it
    has, as far as that is known.

    In a virtual machine Linux takes a core that sleeps for one that its host has given to somebody
    else. So it wakes a thread on the core of the one that wakes it, though others are idle, and
    parts the two only milliseconds later. There the calling thread moves. It is not pinned: it may
    be moved again at once.
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
        pass  # forbidden, or that thread has ended: it stays where it is


def _core_of(native_id: int) -> int:
    stat = Path(f"/proc/self/task/{native_id}/stat").read_bytes()
    return int(stat.rpartition(b")")[2].split()[_CORE])
