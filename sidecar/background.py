"""Steps back behind the user's other programs, as ``--background`` asks."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    from sidecar.wire import windows_api

# POSIX: half of the way from a program's usual place to the last one.
_NICENESS = 10
# From <sys/resource.h> of macOS: a policy for the whole process, its threads to come included.
_PRIO_DARWIN_PROCESS = 4
_PRIO_DARWIN_BG = 0x1000


def step_back() -> None:
    """Let other programs go first, for this process, its threads and what it starts.

    Call it before any thread is started: on Linux each thread has a priority of its own, which it
    takes from the one that starts it.

    Raises:
        OSError: the system does not let it.
    """
    if sys.platform == "win32":
        windows_api.lower_priority()
    elif sys.platform == "darwin":
        os.setpriority(_PRIO_DARWIN_PROCESS, 0, _PRIO_DARWIN_BG)
    else:
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
