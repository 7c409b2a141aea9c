"""Who is measured, at what, and how often; what they find comes later.

An utterance is given by its length alone: each process makes the same noise of it, and a network's
time does not depend on what is said.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

# A measure, and its x: the seconds of a ``latency``, utterances ``one_by_one`` or in a ``batch``,
# requests in flight while ``sustained``, how many ``new_lengths``, else 0.
Key = tuple[str, float]
# The ms of one call, and how many of them the contender says that it computed, if it says so.
Call = tuple[float, float | None]

# ``wire`` is the real sidecar; the others are engines in workers.
TITLES = {
    "wire": "over the wire",
    "own": "in process",
    "speechbrain": "SpeechBrain eager",
    "sherpa-onnx": "sherpa-onnx",
    "product": "torch.mm",
}


@dataclass(frozen=True)
class Turn:
    """What one contender does at once: so many ``calls``, after ``warm_ups`` that do not count.

    A call embeds utterances of ``n_samples`` each: ``alone``, one after the other, ``together``, as
    one batch, or ``queued``, up to ``in_flight`` sent before their answers.
    """

    n_samples: tuple[int, ...]
    way: str = "alone"
    in_flight: int = 1
    warm_ups: int = 0
    calls: int = 1

    def timed(
        self, call: Callable[[], float | None], clock: Callable[[], float] = time.perf_counter
    ) -> list[Call]:
        """Do the calls; each gives what of it was computing, in ms, if it knows."""
        calls: list[Call] = []
        for _ in range(self.warm_ups + self.calls):
            began_at = clock()
            compute_ms = call()
            calls.append((1000 * (clock() - began_at), compute_ms))
        return calls[self.warm_ups :]


@dataclass(frozen=True)
class Extent:
    """How much is measured: ``rounds`` of single utterances, ``long_rounds`` of all else."""

    seconds: tuple[float, ...] = (1.0, 3.0, 5.0, 10.0)
    batches: tuple[int, ...] = (1, 8, 16, 32)
    rounds: int = 7
    calls: int = 3
    long_rounds: int = 3
    n_starts: int = 3
    n_requests: int = 500
    n_lengths: int = 120

    def tasks(self) -> dict[Key, list[Turn]]:
        """Everything, in its order: one turn of each contender in each round."""
        tasks: dict[Key, list[Turn]] = {}
        for seconds in self.seconds:
            turn = Turn((_samples(seconds),), warm_ups=1, calls=self.calls)
            tasks["latency", seconds] = [turn] * self.rounds
        rounds = range(self.long_rounds)
        for n in self.batches:
            of_1_s = (SAMPLE_RATE_HZ,) * n
            tasks["one_by_one", n] = [Turn(of_1_s, warm_ups=1) for _ in rounds]
            tasks["batch", n] = [Turn(of_1_s, "together", warm_ups=1) for _ in rounds]
        # Each 30 ms more, which is a shape of its own, and no other's in the run. In shares, so
        # that a disturbance strikes every contender.
        seen = {SAMPLE_RATE_HZ, *map(_samples, self.seconds)}
        longer = (n for n in itertools.count(SAMPLE_RATE_HZ, 480) if n not in seen)
        new = _shuffled(itertools.islice(longer, self.n_lengths), seed=0)
        tasks["new_lengths", self.n_lengths] = [Turn(new[i :: len(rounds)]) for i in rounds]
        mixed = np.geomspace(1, 10, -(-self.n_requests // (3 * len(rounds))))
        for n in (1, 8, 64):
            turns = (_shuffled(map(_samples, mixed), seed=i) for i in rounds)
            tasks["sustained", n] = [Turn(n_samples, "queued", n) for n_samples in turns]
        return tasks


QUICK = Extent((1.0, 3.0), (1, 8), 2, 2, long_rounds=1, n_starts=1, n_requests=12, n_lengths=6)


@dataclass(frozen=True)
class Entry:
    """A contender, not yet started; if it is optional, the rest is measured without it too."""

    name: str
    kind: str
    device: str
    serve_options: tuple[str, ...]
    is_optional: bool


@dataclass(frozen=True)
class Plan:
    """What was asked for; ``devices``: empty for every one that is present."""

    serve_options: tuple[str, ...]
    threads: int
    extent: Extent
    devices: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    variants: tuple[tuple[str, ...], ...] = ((),)

    def entries(self, devices: Sequence[str]) -> list[Entry]:
        """The contenders on ``devices``; all are compared with the first."""
        places = itertools.product(self.against, devices)
        others = [
            (kind, place) for kind, place in places if place == "cpu" or kind == "speechbrain"
        ]
        pairs = itertools.product(devices, self.variants, ("wire", "own"))
        ours = [self.entry(kind, device, variant) for device, variant, kind in pairs]
        return [self.entry(*one) for one in others] + ours

    def entry(self, kind: str, device: str, variant: Sequence[str] = ()) -> Entry:
        """``--runtime openvino --precision=bf16`` is called ``runtime openvino precision bf16``."""
        words = " ".join(word.removeprefix("--").replace("=", " ") for word in variant)
        name = ", ".join(filter(None, (TITLES[kind], device, words)))
        options = (
            *self.serve_options,
            "--device",
            device,
            "--threads",
            str(self.threads),
            *variant,
        )
        # What the options name must run. A device that was merely found need not, nor need a
        # variant on it: a GPU has no OpenVINO.
        is_named = device in (self.devices or ("cpu",))
        return Entry(name, kind, device, options, is_optional=kind == "product" or not is_named)


def utterance(n_samples: int) -> NDArray[np.float32]:
    """Noise that rises and falls four times a second, the same in every process: (n_samples,)."""
    noise = np.random.default_rng(n_samples).normal(0, 0.1, n_samples)
    loudness = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(n_samples) / SAMPLE_RATE_HZ)
    return (noise * loudness).clip(-1, 1).astype(np.float32)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _shuffled(lengths: Iterable[int], seed: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).permutation([*lengths]).tolist())
