"""What is measured: which utterances, in which way, how often. Pure; times come later.

An utterance is given by its length alone: each process makes the same noise of it, and a network's
time does not depend on what is said.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

# One utterance after the other; all as one batch; up to ``in_flight`` sent before their answers.
Way = Literal["alone", "together", "queued"]
# What a figure's x is: seconds, utterances, utterances, requests in flight, lengths.
Measure = Literal["latency", "one_by_one", "batch", "sustained", "new_lengths"]

BATCH_UTTERANCE_S = 1.0
SUSTAINED_IN_FLIGHT = (1, 8, 64)
SHORTEST_MIXED_S, LONGEST_MIXED_S = 1.0, 10.0
# 30 ms: so many more frames that each is a shape of its own.
NEW_LENGTH_STEP_SAMPLES = 480


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contender does at once; the time of each of its ``calls`` counts.

    A call embeds utterances of ``n_samples`` each; ``warm_ups`` calls go before, untimed.
    """

    n_samples: tuple[int, ...]
    way: Way = "alone"
    in_flight: int = 1
    warm_ups: int = 0
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One figure of each contender: a turn in each round."""

    measure: Measure
    x: float
    turns: tuple[Turn, ...]

    @property
    def n_samples_of_call(self) -> int:
        """The audio of one call, in samples: the mean over the rounds."""
        return round(sum(sum(turn.n_samples) for turn in self.turns) / len(self.turns))


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    seconds: tuple[float, ...] = (1.0, 3.0, 5.0, 10.0)
    batches: tuple[int, ...] = (1, 8, 16, 32)
    rounds: int = 7
    calls: int = 3
    long_rounds: int = 3
    n_starts: int = 3
    n_requests: int = 500
    n_lengths: int = 120


QUICK = Extent(
    seconds=(1.0, 3.0),
    batches=(1, 8),
    rounds=2,
    calls=2,
    long_rounds=1,
    n_starts=1,
    n_requests=12,
    n_lengths=6,
)


def tasks_of(extent: Extent) -> list[Task]:
    """Everything to be measured, in the order in which it is."""
    one_s = round(BATCH_UTTERANCE_S * SAMPLE_RATE_HZ)
    tasks = [
        Task("latency", seconds, _often(extent, (round(seconds * SAMPLE_RATE_HZ),)))
        for seconds in extent.seconds
    ]
    for n in extent.batches:
        turn = Turn((one_s,) * n, warm_ups=1)
        together = Turn((one_s,) * n, "together", warm_ups=1)
        tasks.append(Task("one_by_one", n, (turn,) * extent.long_rounds))
        tasks.append(Task("batch", n, (together,) * extent.long_rounds))
    if extent.n_lengths:
        new, n_shares = _new_lengths(extent), min(extent.long_rounds, extent.n_lengths)
        # In shares, so that what disturbs the run disturbs every contender.
        turns = tuple(Turn(new[i_share::n_shares]) for i_share in range(n_shares))
        tasks.append(Task("new_lengths", extent.n_lengths, turns))
    if extent.n_requests:
        tasks += _sustained(extent)
    return tasks


def _often(extent: Extent, n_samples: tuple[int, ...]) -> tuple[Turn, ...]:
    return (Turn(n_samples, warm_ups=1, calls=extent.calls),) * extent.rounds


def _new_lengths(extent: Extent) -> tuple[int, ...]:
    """Lengths from a second on that are no others' in the run, in no order."""
    seen = {round(seconds * SAMPLE_RATE_HZ) for seconds in extent.seconds}
    first = SAMPLE_RATE_HZ + NEW_LENGTH_STEP_SAMPLES
    new = (n for n in itertools.count(first, NEW_LENGTH_STEP_SAMPLES) if n not in seen)
    return _shuffled(list(itertools.islice(new, extent.n_lengths)), seed=0)


def _sustained(extent: Extent) -> list[Task]:
    """The requests, cut into equal shares for each number in flight and each round."""
    n_shares = len(SUSTAINED_IN_FLIGHT) * extent.long_rounds
    n_each = -(-extent.n_requests // n_shares)
    lengths = np.geomspace(SHORTEST_MIXED_S, LONGEST_MIXED_S, n_each) * SAMPLE_RATE_HZ
    tasks = []
    for in_flight in SUSTAINED_IN_FLIGHT:
        turns = tuple(
            Turn(_shuffled([round(n) for n in lengths], seed=i), "queued", in_flight)
            for i in range(extent.long_rounds)
        )
        tasks.append(Task("sustained", in_flight, turns))
    return tasks


def _shuffled(lengths: Sequence[int], seed: int) -> tuple[int, ...]:
    order = np.random.default_rng(seed).permutation(len(lengths))
    return tuple(lengths[i] for i in order)


def utterance(n_samples: int) -> NDArray[np.float32]:
    """Noise that rises and falls four times a second, the same in every process: (n_samples,)."""
    noise = np.random.default_rng(n_samples).normal(0, 0.1, n_samples)
    loudness = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(n_samples) / SAMPLE_RATE_HZ)
    return (noise * loudness).clip(-1, 1).astype(np.float32)
