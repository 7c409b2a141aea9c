"""How far a run is, how fast it goes, and for how long it will: pure."""

from __future__ import annotations

from dataclasses import dataclass

# What is done less often is counted by the hour.
_OFTEN_PER_S = 0.1


@dataclass(frozen=True, slots=True)
class Tally:
    """What one block has brought: rows, seconds of audio that were embedded, and of an actor.

    ``fault``: why it could not be done, and no other block should be.
    """

    rows: int = 0
    failures: int = 0
    audio_s: float = 0.0
    busy_s: float = 0.0
    fault: str = ""


@dataclass(slots=True)
class Rate:
    """What is done of ``n_all`` rows, of which ``n_before`` were done by earlier runs.

    Times are of one clock, in seconds.
    """

    n_all: int
    n_before: int
    n_now: int = 0
    n_failed: int = 0
    audio_s: float = 0.0
    busy_s: float = 0.0
    began_at: float | None = None
    at: float = 0.0

    @property
    def n_done(self) -> int:
        """How many rows are done, by this run and earlier ones."""
        return self.n_before + self.n_now

    @property
    def per_s(self) -> float:
        """Rows in a second, of this run."""
        return self.n_now / self.passed_s if self.passed_s > 0 else 0.0

    @property
    def passed_s(self) -> float:
        """How long it has taken so far, from the first tally on."""
        return 0.0 if self.began_at is None else self.at - self.began_at

    @property
    def left_s(self) -> float | None:
        """How long it will take; None: that is not known yet."""
        return (self.n_all - self.n_done) / self.per_s if self.per_s > 0 else None

    def add(self, tally: Tally, at: float) -> None:
        """A block is done; or has begun, if the tally is empty."""
        if self.began_at is None:
            self.began_at = at
        self.n_now += tally.rows
        self.n_failed += tally.failures
        self.audio_s += tally.audio_s
        self.busy_s += tally.busy_s
        self.at = at

    def __str__(self) -> str:
        share = self.n_done / self.n_all
        so_far = f"{self.n_done:,} of {self.n_all:,} ({share:.0%})"
        if self.left_s is None:
            return so_far
        left = f"{clock(self.left_s)} left, {self.n_failed:,} failed"
        return f"{so_far}, {self._speed()}, {left}"

    def summary(self) -> str:
        """What is said in the end."""
        hours = self.audio_s / 3600
        each = self.audio_s / self.busy_s if self.busy_s > 0 else 0.0
        return (
            f"{self.n_now - self.n_failed:,} embedded, {self.n_failed:,} failed, {hours:,.2f} h of "
            f"audio in {clock(self.passed_s)}: {self._speed()} ({each:,.0f} h by each "
            "encoder)"
        )

    def _speed(self) -> str:
        times = self.audio_s / self.passed_s if self.passed_s > 0 else 0.0
        often = self.per_s >= _OFTEN_PER_S
        rows = f"{self.per_s:.1f} a second" if often else f"{self.per_s * 3600:,.0f} an hour"
        return f"{rows}, {times:,.0f} h of audio an hour"


def clock(seconds: float) -> str:
    """A duration, as one says it: ``40 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
