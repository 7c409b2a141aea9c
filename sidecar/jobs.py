"""A request in flight, and the audios that it is made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from protocol.params import RequestId

Outcome: TypeAlias = object  # an Embedding, or the SidecarError that took its place


class Stage(enum.Enum):
    """How far an item is."""

    UNDECODED = enum.auto()
    DECODING = enum.auto()
    READY = enum.auto()
    RUNNING = enum.auto()
    DONE = enum.auto()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A waveform of ``n_samples`` that starts at ``start_sample`` of its audio."""

    waveform: object
    n_samples: int
    start_sample: int = 0


@dataclass(eq=False, slots=True)
class Item:
    """One audio, or one window of it, on its way through the stages.

    ``order``: the audio's number since the start, then the window's in its audio; who has the
    lower one came first.
    """

    job: Job
    audio: object
    order: tuple[int, int] = (0, 0)
    waveform: object = None
    n_samples: int = 0
    start_sample: int = 0
    stage: Stage = Stage.UNDECODED
    outcome: Outcome = None
    batch_size: int = 0
    decode_started_at: float = 0.0
    decode_ended_at: float = 0.0
    run_started_at: float = 0.0
    run_ended_at: float = 0.0

    @property
    def decode_s(self) -> float:
        """How long its audio was decoded."""
        return self.decode_ended_at - self.decode_started_at

    @property
    def queue_s(self) -> float:
        """How long it waited, for a decoder and for the device."""
        return self.run_started_at - self.job.arrived_at - self.decode_s

    @property
    def compute_s(self) -> float:
        """How long the device had the batch that it was in."""
        return self.run_ended_at - self.run_started_at


@dataclass(eq=False, slots=True)
class Job:
    """One request in flight. ``n_bytes``: its frame's payload, which counts until it is answered.

    ``deadline_at`` is when it is too late; None: never. ``params`` is for who answers it.
    """

    id: RequestId
    params: object
    n_bytes: int
    arrived_at: float
    deadline_at: float | None = None
    items: list[Item] = field(default_factory=list)
    n_open: int = 0
    n_audios: int = 0
