"""A request in flight, the audios that it sends, and what is cut out of them to be embedded."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from protocol.diarization import DiarizeResult
from protocol.errors import OutOfMemory, SidecarError
from protocol.gallery_reports import GalleryResult
from protocol.methods import WorkParams
from protocol.params import Audio, PcmAudio, RequestId
from protocol.quality import Quality, SpeechResult
from protocol.reports import AudioWarning, ProbeResult
from protocol.streams import StreamNotification
from sidecar.audio.waveform import Activity, Decoded, Stereo, Waveform
from sidecar.diarization.streaming import StreamStep

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.engine.encoder import Embedding


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """What a step of a stream has to tell, and at its end the result."""

    told: tuple[StreamNotification, ...]
    result: DiarizeResult | None = None


# What comes of a question.
Answer: TypeAlias = GalleryResult | DiarizeResult | StreamAnswer
# An item's embedding, or the error that took its place.
Outcome: TypeAlias = "Embedding | SidecarError"


class Stage(enum.Enum):
    """How far a source or an item is: a source waits and is decoded, an item waits and runs."""

    WAITING = enum.auto()
    WORKED_ON = enum.auto()
    DONE = enum.auto()


class Lane(enum.Enum):
    """Who decodes an audio: samples that need no decoding never wait behind a long file.

    Nor do they wait for streams, which are heard all the time.
    """

    SAMPLES = enum.auto()
    STREAMS = enum.auto()
    FILES = enum.auto()


def lane_of(audio: Audio, params: WorkParams | StreamStep) -> Lane:
    """Who decodes ``audio``."""
    if isinstance(params, StreamStep):
        return Lane.STREAMS
    return Lane.SAMPLES if isinstance(audio, PcmAudio) else Lane.FILES


@dataclass(eq=False, slots=True)
class Source:
    """One audio of a request. It is decoded step by step; between two, others have their turn.

    ``number`` counts the audios since the start: who has the lower one came first. ``steps`` is
    there from the first step to the last; ``error`` says why there was no further one.
    ``warnings`` and ``told`` are what its steps have told. ``is_cut``: all of its items are there.
    ``duration_s`` is what its header tells, ``activity`` who was heard when in it.
    ``until``: what it waits for, before it waits for a decoder.
    """

    job: Job
    audio: Audio
    number: int
    lane: Lane
    stage: Stage = Stage.WAITING
    steps: Generator[Decoded, None, None] | None = None
    held_bytes: int = 0
    n_parts: int | None = None
    items: list[Item] = field(default_factory=list)
    error: SidecarError | None = None
    warnings: tuple[AudioWarning, ...] = ()
    told: ProbeResult | SpeechResult | None = None
    is_cut: bool = False
    duration_s: float | None = None
    activity: Activity | None = None
    until: Callable[[], bool] | None = None
    turn_started_at: float = 0.0
    step_started_at: float = 0.0
    decode_s: float = 0.0


@dataclass(eq=False, slots=True)
class Item:
    """One waveform to be embedded: an audio, or the window or segment ``index`` of it.

    ``order`` is its source's number, then its index. ``waveform`` is there until it is done.
    ``decode_s`` is how long its audio had been decoded when it was complete. ``stereo`` and
    ``warnings`` are its waveform's, ``quality`` is that of its whole audio.
    """

    source: Source
    order: tuple[int, int]
    decode_s: float
    waveform: Waveform | None = None
    n_samples: int = 0
    start_sample: int = 0
    stereo: Stereo | None = None
    warnings: tuple[AudioWarning, ...] = ()
    quality: Quality | None = None
    stage: Stage = Stage.WAITING
    outcome: Outcome | None = None
    batch_size: int = 0
    run_started_at: float = 0.0
    run_ended_at: float = 0.0

    @property
    def job(self) -> Job:
        """The request that it belongs to."""
        return self.source.job

    @property
    def index(self) -> int:
        """Its place among its audio's parts."""
        return self.order[1]

    @property
    def n_bytes(self) -> int:
        """The memory that its samples take."""
        return 4 * self.n_samples

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

    An ``id`` below 0, which no host can send, is that of a stream's step, which answers nobody.

    ``deadline_at`` is when it is too late; None: never. ``is_live``: somebody waits for one
    embedding, or for a score; it is no long work of many audios or windows. ``n_open`` counts its
    sources and items that are not done, and its question; ``n_done`` its items that are.
    ``told_s``: how many seconds its host was told to be done.

    ``question`` is how far that is which only the gallery can answer, or who of a recording is who:
    it waits until all items are done, and comes to nothing if one failed. None: there is no
    question. ``answer`` is what came of it, or why there is none.
    """

    id: RequestId
    params: WorkParams | StreamStep
    n_bytes: int
    arrived_at: float
    deadline_at: float | None = None
    sources: list[Source] = field(default_factory=list)
    is_live: bool = True
    n_open: int = 0
    n_done: int = 0
    told_at: float = 0.0
    told_s: int = 0
    question: Stage | None = None
    answer: Answer | SidecarError | None = None

    @property
    def n_audios(self) -> int:
        """How many audios it sends; a question without any counts as one."""
        return max(1, len(self.sources))

    @property
    def fault(self) -> SidecarError | None:
        """Why it has no result, if something of it failed."""
        outcomes = [item.outcome for item in self.items]
        errors = [source.error for source in self.sources]
        faults = (*outcomes, *errors, self.answer)
        fault = next((one for one in faults if isinstance(one, SidecarError)), None)
        if isinstance(self.params, StreamStep) and isinstance(fault, OutOfMemory):
            # It was told of an audio that may be sent in parts.
            return OutOfMemory(
                "there is too little memory to hear this stream on, and it is gone: open another "
                "one, and push what you kept"
            )
        return fault

    @property
    def items(self) -> Iterator[Item]:
        """All of its items, in the order of its audios."""
        return (item for source in self.sources for item in source.items)
