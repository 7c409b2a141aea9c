"""What else the machine did: a benchmark on a busy one measures its neighbours too."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import psutil

# Of the cores: from here on it is seen in the times.
_BUSY_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Load:
    """``average_before``: the load average of the minute before; None where the system keeps none.

    ``others_cores``: how many cores all other programs used during the run; None where it is not
    known what our own used.
    """

    average_before: float | None
    others_cores: float | None


@dataclass(frozen=True, slots=True)
class CpuUse:
    """Seconds until now: of the clock, of all cores' work, and of this process's with its children.

    Only children that have ended and were waited for count.
    """

    clock_s: float
    all_s: float
    own_s: float


def load_average() -> float | None:
    """Of the last minute: how many programs wanted a core."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cpu_use() -> CpuUse:
    """As it is now."""
    everything = psutil.cpu_times()
    waits = everything.idle + getattr(everything, "iowait", 0.0)
    # Guests' time is part of the user's too.
    guests = getattr(everything, "guest", 0.0) + getattr(everything, "guest_nice", 0.0)
    own = psutil.Process().cpu_times()
    own_s = own.user + own.system
    own_s += getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
    return CpuUse(time.monotonic(), sum(everything) - waits - guests, own_s)


def others_cores(before: CpuUse, after: CpuUse) -> float:
    """How many cores others kept busy between the two."""
    others_s = (after.all_s - before.all_s) - (after.own_s - before.own_s)
    return max(0.0, others_s / (after.clock_s - before.clock_s))


def counts_children() -> bool:
    """Whether this system says what a process's children used."""
    return os.name == "posix"


def busy_warning(load: Load, cores: int) -> str | None:
    """What is to be said of it, if anything."""
    busy = load.average_before if load.others_cores is None else load.others_cores
    if busy is None or busy <= _BUSY_SHARE * cores:
        return None
    what = (
        f"its load was {busy:.1f} before the run"
        if load.others_cores is None
        else f"other programs used {busy:.1f} cores during the run"
    )
    return f"the machine was busy: {what}, of {cores}; all times are upper bounds"
