"""Who is measured, at what, and how often."""

from __future__ import annotations

import itertools
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ

# A measure, and its x: the seconds of a ``latency``, utterances ``one_by_one`` or in a ``batch``,
# requests in flight while ``sustained``, how many ``new_lengths``, else 0.
Key = tuple[str, float]
# The ms of one call, and how many of them the contender says that it computed; 0 if it does not.
Call = tuple[float, float]
Waveforms = Sequence[NDArray[np.float32]]

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

    A call embeds utterances of ``n_samples`` each: ``together`` as one batch, or else singly, up to
    ``in_flight`` sent before their answers.
    """

    n_samples: tuple[int, ...]
    together: bool = False
    in_flight: int = 1
    warm_ups: int = 0
    calls: int = 1

    def timed(self, embed: Callable[[Waveforms], float | None]) -> list[Call]:
        """Do the calls; ``embed`` says how many ms of it were computing, if it knows."""
        waveforms = [utterance(n) for n in self.n_samples]
        groups = [waveforms] if self.together else [[waveform] for waveform in waveforms]
        calls: list[Call] = []
        with ThreadPoolExecutor(self.in_flight) as hosts:
            # One by one, a thread would only cost time.
            ask = map if self.in_flight == 1 else hosts.map
            for _ in range(self.warm_ups + self.calls):
                began_at = time.perf_counter()
                compute_ms = sum(ms or 0.0 for ms in ask(embed, groups))
                calls.append((1000 * (time.perf_counter() - began_at), compute_ms))
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
            tasks["one_by_one", n] = [Turn(of_1_s, warm_ups=1)] * len(rounds)
            tasks["batch", n] = [Turn(of_1_s, together=True, warm_ups=1)] * len(rounds)
        # Each 30 ms more, which is a shape of its own, and no other's in the run. In shares, so
        # that a disturbance strikes every contender.
        seen = {SAMPLE_RATE_HZ, *map(_samples, self.seconds)}
        longer = (n for n in itertools.count(SAMPLE_RATE_HZ, 480) if n not in seen)
        new = _shuffled(itertools.islice(longer, self.n_lengths), seed=0)
        tasks["new_lengths", self.n_lengths] = [Turn(new[i :: len(rounds)]) for i in rounds]
        mixed = np.geomspace(1, 10, -(-self.n_requests // (3 * len(rounds))))
        for n in (1, 8, 64):
            turns = (_shuffled(map(_samples, mixed), seed=i) for i in rounds)
            tasks["sustained", n] = [Turn(n_samples, in_flight=n) for n_samples in turns]
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


def entries_of(options: Namespace, devices: Sequence[str]) -> list[Entry]:
    """The contenders on ``devices``; all are compared with the first."""
    others = itertools.product(dict.fromkeys(options.against), devices)
    variants = dict.fromkeys([(), *map(tuple, options.serve)])
    ours = itertools.product(devices, variants, ("wire", "own"))
    return [
        *(entry_of(options, *one) for one in others if one[0] == "speechbrain" or one[1] == "cpu"),
        *(entry_of(options, kind, device, variant) for device, variant, kind in ours),
    ]


def entry_of(options: Namespace, kind: str, device: str, variant: Sequence[str] = ()) -> Entry:
    """``--runtime openvino --precision=bf16`` is called ``runtime openvino precision bf16``."""
    words = " ".join(word.removeprefix("--").replace("=", " ") for word in variant)
    name = ", ".join(filter(None, (TITLES[kind], device, words)))
    # What the options name must run. A device that was merely found need not, nor need a variant
    # on it: a GPU has no OpenVINO.
    is_optional = kind == "product" or device not in (options.device or ("cpu",))
    models_dir = [f"--models-dir={options.models_dir}"] if options.models_dir else []
    given = (f"--model={options.model}", f"--threads={options.threads}", *models_dir)
    return Entry(name, kind, device, (*given, f"--device={device}", *variant), is_optional)


def utterance(n_samples: int) -> NDArray[np.float32]:
    """Noise, the same in every process: (n_samples,). What is said does not change the time."""
    noise = np.random.default_rng(n_samples).normal(0, 0.1, n_samples)
    return noise.clip(-1, 1).astype("<f4")


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _shuffled(lengths: Iterable[int], seed: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).permutation([*lengths]).tolist())
