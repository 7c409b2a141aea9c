"""A contender's own process: opens one engine, then does what each line on its input asks.

Lines are JSON maps. It begins with ``{"ready": About}``, or ``{"error": why}`` and ends. Asked for
a ``turn`` it answers with milliseconds, for ``memory`` or ``count_flop`` with bytes or operations.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import IO, Any

from sidecar.config import EXIT_OK, EXIT_UNAVAILABLE, Config
from sidecar.tools.bench.engines.engine import Engine
from sidecar.tools.bench.tasks import Turn, utterance

# Each is a module in ``engines``.
ENGINES = {
    "own": "own_encoder",
    "speechbrain": "speechbrain_eager",
    "sherpa-onnx": "sherpa_campplus",
    "product": "matrix_product",
}


def work(kind: str, config: Config) -> int:
    """Serve one driver on standard input and output with the engine ``kind``; the exit code."""
    # Libraries print: what they print must not reach the driver.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        module = importlib.import_module(f"sidecar.tools.bench.engines.{ENGINES[kind]}")
        engine: Engine = module.open_engine(config)
        take(engine, Turn((16_000,)), time.perf_counter)
    except Exception as error:  # noqa: BLE001 - whatever it is, the driver tells it
        why = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        _answer(answers, {"error": why})
        return EXIT_UNAVAILABLE
    _answer(answers, {"ready": dataclasses.asdict(engine.about)})
    obey(engine, sys.stdin, answers)
    return EXIT_OK


def obey(engine: Engine, lines: Iterable[str], answers: IO[str]) -> None:
    """Answer each line until there are no more."""
    for line in lines:
        asked: dict[str, Any] = json.loads(line)
        if "turn" in asked:
            turn = Turn(**asked["turn"])
            _answer(answers, {"ms": take(engine, turn, time.perf_counter)})
        elif "count_flop" in asked:
            counts = engine.count_flop(asked["count_flop"])  # type: ignore[attr-defined]
            _answer(answers, {"flop": counts})
        else:
            _answer(answers, {"gpu_peak_bytes": engine.gpu_peak_bytes()})


def take(engine: Engine, turn: Turn, clock: Callable[[], float]) -> list[float]:
    """The ms of each timed call of ``turn``. Nothing queues here: one by one, or together."""
    waveforms = [utterance(n) for n in turn.n_samples]
    groups = [waveforms] if turn.way == "together" else [[waveform] for waveform in waveforms]
    times_ms = []
    for i_call in range(turn.warm_ups + turn.calls):
        began_at = clock()
        for group in groups:
            engine.embed(group)
        if i_call >= turn.warm_ups:
            times_ms.append(1000 * (clock() - began_at))
    return times_ms


def _answer(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
