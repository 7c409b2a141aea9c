"""A request in flight, and the audios that it is made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from protocol.errors import SidecarError
from protocol.params import Audio, RequestId, WorkParams
from sidecar.audio.waveform import Waveform

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.engine.encoder import Embedding

# An audio's embedding, or the error that took its place.
Outcome: TypeAlias = "Embedding | SidecarError"


class Stage(enum.Enum):
    """How far an item is."""

    UNDECODED = enum.auto()
    DECODING = enum.auto()
    READY = enum.auto()
    RUNNING = enum.auto()
    DONE = enum.auto()


class Lane(enum.Enum):
    """Who decodes an audio: samples that need no decoding never wait behind a long file."""

    SAMPLES = enum.auto()
    FILES = enum.auto()


@dataclass(eq=False, slots=True)
class Item:
    """One audio, or one window of it, on its way through the stages.

    ``audio`` is there until it is decoded, ``waveform`` from then on until the item is done.
    ``order``: the audio's number since the start, then the window's in its audio; who has the
    lower one came first.
    """

    job: Job
    audio: Audio | None
    order: tuple[int, int] = (0, 0)
    lane: Lane = Lane.FILES
    waveform: Waveform | None = None
    n_samples: int = 0
    start_sample: int = 0
    stage: Stage = Stage.UNDECODED
    outcome: Outcome | None = None
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

    ``deadline_at`` is when it is too late; None: never. ``is_live``: somebody waits for one
    embedding, or for a score; it is no long work of many audios or windows.
    """

    id: RequestId
    params: WorkParams
    n_bytes: int
    arrived_at: float
    deadline_at: float | None = None
    items: list[Item] = field(default_factory=list)
    n_open: int = 0
    n_audios: int = 0
    is_live: bool = True
