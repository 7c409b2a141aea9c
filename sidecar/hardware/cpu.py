"""The processor that this process runs on, asked without torch."""

from __future__ import annotations

import os
import platform

import numpy as np
import psutil

from protocol.reports import Cpu

# The widest first. The first two names are those that torch gives.
_SIMD = (("AVX512", "AVX512F"), ("AVX2", "AVX2"), ("SVE", "SVE"), ("NEON", "ASIMD"))


def cpu() -> Cpu:
    """The processor: its name, the cores that this process may use, its vector instructions."""
    return Cpu(name=_name(), cores=n_cores(), simd=_simd())


def n_cores() -> int:
    """The physical cores that this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return min(physical, allowed or physical)


def default_threads() -> int:
    """One for each core; where there are more than two, one is left to the user's other work."""
    cores = n_cores()
    return cores - 1 if cores > 2 else cores


def _simd() -> str:
    # NumPy asks the processor when it is imported, and has no public name for what it found.
    core = getattr(np, "_core", None) or np.core
    found = getattr(getattr(core, "_multiarray_umath", None), "__cpu_features__", {})
    return next((name for name, feature in _SIMD if found.get(feature)), "DEFAULT")


def _name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - no ordinary file
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
