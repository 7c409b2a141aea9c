"""The bond by which the system itself ends this process with its host, even while it is stopped."""

from __future__ import annotations

import os
import signal
import sys

# Set by a host that starts us from its main thread: its process id.
PARENT_VARIABLE = "SPEAKER_SIDECAR_PARENT"

# linux/prctl.h
_PR_SET_PDEATHSIG = 1


def bind_to_host() -> bool:
    """Let Linux kill this process when the thread that started it is gone; whether it will.

    Only where a host asked for it in ``SPEAKER_SIDECAR_PARENT`` and is our parent: a shell, or a
    wrapper that ends once it has started us, must not take us along. A host that has died by now is
    no longer our parent; the end of our input, and ``--parent-pid``, tell of that.

    On Windows the host's job object does this, and nothing on macOS.
    """
    parent_pid = os.environ.pop(PARENT_VARIABLE, "")
    if sys.platform != "linux" or parent_pid != str(os.getppid()):
        return False
    import ctypes  # noqa: PLC0415

    # Found already in this process, whichever C library that is.
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return False
    if parent_pid == str(os.getppid()):
        return True
    # It died just now, before it could take us along.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)
    return False
