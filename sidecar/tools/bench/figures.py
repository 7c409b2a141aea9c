"""What is made of measured times: medians, how far they spread, ratios. Pure arithmetic."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.config import SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Spread:
    """``n`` values: their median, quartiles and extremes, in the values' own unit."""

    median: float
    lower_quartile: float
    upper_quartile: float
    least: float
    most: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """The spread of one or more values; quartiles lie between values where need be."""
    if len(values) == 1:
        [value] = values
        return Spread(value, value, value, value, value, 1)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, lower, upper, min(values), max(values), len(values))


def times_as_fast(baseline_ms: float, ms: float) -> float:
    """2.0: in half the baseline's time."""
    return baseline_ms / ms


def times_real_time(n_samples: int, ms: float) -> float:
    """Seconds of audio for each second of work."""
    return n_samples / SAMPLE_RATE_HZ / (ms / 1000)


def gflop_per_s(flop: float, ms: float) -> float:
    """The rate of so many floating-point operations in that time."""
    return flop / ms / 1e6
