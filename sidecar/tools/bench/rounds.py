"""Turns: contenders measure one after the other, never two at a time, with a pause between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sidecar.tools.bench.tasks import Task, Turn


@dataclass(frozen=True, slots=True)
class Call:
    """One timed call; ``compute_ms``: how much of it the contender says that it computed."""

    ms: float
    compute_ms: float | None = None


class Contender(Protocol):
    """What takes turns: a process that is ready, and idle between its turns."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    @property
    def takes_batches(self) -> bool:
        """Whether several utterances together are anything to it."""

    def take(self, turn: Turn) -> list[Call]:
        """Each of the turn's timed calls."""


def alternate(
    task: Task,
    contenders: Sequence[Contender],
    sleep: Callable[[float], None],
    pause_s: float,
) -> dict[str, list[Call]]:
    """The calls of each contender, by its name, over all rounds of ``task``.

    Each turn begins with a pause, in which the threads of the one before cease to spin. Every other
    round goes backwards, so that what drifts, such as the machine's clock, favours nobody.
    """
    calls: dict[str, list[Call]] = {contender.name: [] for contender in contenders}
    for i_round, turn in enumerate(task.turns):
        for contender in contenders if i_round % 2 == 0 else reversed(contenders):
            sleep(pause_s)
            calls[contender.name] += contender.take(turn)
    return calls
