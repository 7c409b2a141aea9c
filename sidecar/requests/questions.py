"""What waits for an answer that no audio alone can give, and who gives it: pure."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator

from protocol.diarization import DiarizeParams
from protocol.gallery_params import (
    EnrollParams,
    ForgetPersonParams,
    IdentifyParams,
    ImportPeopleParams,
    RenamePersonParams,
)
from sidecar.diarization.streaming import StreamStep
from sidecar.requests.jobs import Job

_CHANGES = (EnrollParams, ForgetPersonParams, ImportPeopleParams, RenamePersonParams)


class Desk(enum.Enum):
    """Who is asked; each has a thread of its own, so that none waits for what takes others long.

    Values name the threads. What only reads the gallery takes milliseconds, as do the turns of a
    stream that goes on. A change of the gallery may wait for seconds, while another process writes
    to it. Who spoke when in all of a stream takes a second for an hour, and of a recording, for
    which streams do not wait, some more.
    """

    LOOKUPS = "gallery"
    CHANGES = "gallery's changes"
    STREAMS = "hindsight"
    RECORDINGS = "diarization"


def desk_of(job: Job) -> Desk:
    """Who is asked what ``job`` is about."""
    params = job.params
    if isinstance(params, StreamStep) and params.ending is not None:
        return Desk.STREAMS
    if isinstance(params, DiarizeParams):
        return Desk.RECORDINGS
    if isinstance(params, _CHANGES) or (isinstance(params, IdentifyParams) and params.adapt):
        return Desk.CHANGES
    return Desk.LOOKUPS


class Questions:
    """The jobs whose questions wait, at each desk in the order in which they came."""

    def __init__(self) -> None:
        self._lines: dict[Desk, dict[Job, None]] = {desk: {} for desk in Desk}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Job]:
        return itertools.chain(*self._lines.values())

    def __contains__(self, job: Job) -> bool:
        return job in self._lines[desk_of(job)]

    def wait_at(self, desk: Desk) -> bool:
        """Whether any wait there."""
        return bool(self._lines[desk])

    def put(self, job: Job) -> None:
        """``job`` waits."""
        self._lines[desk_of(job)][job] = None

    def remove(self, job: Job) -> None:
        """``job`` waits no more."""
        del self._lines[desk_of(job)][job]

    def take(self, desk: Desk) -> Job | None:
        """The one that has waited longest there; None: none does."""
        job = next(iter(self._lines[desk]), None)
        if job is not None:
            self.remove(job)
        return job
