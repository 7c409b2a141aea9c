"""What is in flight, in which order it is served, and when it is too late: pure, no clock, no I/O.

A request is a ``Job`` of one or more ``Item``, each one audio (or one window of it). Every item
goes once through decode, queue and device, or is dropped on the way; when the last one is done,
the job is finished, and the call that finished it returns it. So each job is returned exactly once.

Times are seconds of whatever monotonic clock the caller passes as ``now``. Not thread-safe: the
pipeline holds a lock around every call.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from protocol.errors import (
    Cancelled,
    DeadlineExceeded,
    Draining,
    InvalidParams,
    Overloaded,
    SidecarError,
)
from protocol.hello import Limits
from protocol.params import Audio, EmbedWindowsParams, PcmAudio, RequestId
from sidecar.audio.waveform import Waveform
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits
from sidecar.requests.batching import choose
from sidecar.requests.jobs import (
    Item,
    Job,
    Lane,
    Outcome,
    Stage,
)

BYTES_PER_SAMPLE = 4
# One turn in so many is long work's, while live work keeps coming.
LONG_SHARE = 4
# A request of more audios is long work, and so is one of windows; a score has two.
_MOST_LIVE_AUDIOS = 2


class Scheduler:
    """Admits jobs within ``limits``, hands out their items, and returns what is finished.

    Args:
        limits: how many audios and bytes may be in flight.
        max_ready_bytes: decoded audio of each queue that may wait for the device; its decoding
            pauses above that, since one small file can become a long waveform.
    """

    def __init__(self, limits: Limits, max_ready_bytes: int = 64 * 2**20) -> None:
        self._limits = limits
        self._max_ready_bytes = max_ready_bytes
        self._jobs: dict[RequestId, Job] = {}
        # Insertion-ordered, with removal from the middle: a cancelled item leaves at once.
        self._undecoded: dict[_Kind, OrderedDict[Item, None]] = {
            kind: OrderedDict() for kind in _KINDS
        }
        self._ready_bytes = dict.fromkeys(_KINDS, 0)
        self._ready: dict[bool, OrderedDict[Item, None]] = {
            is_live: OrderedDict() for is_live in (True, False)
        }
        self._decoder_turns = {lane: _Turns() for lane in Lane}
        self._device_turns = _Turns()
        self._n_audios = 0
        self._n_bytes = 0
        self._n_admitted = 0
        self._draining = False
        # The device's; until it is known, nothing is ready to run.
        self.batch_limits: BatchLimits = ONE_BY_ONE

    @property
    def n_in_flight(self) -> int:
        """Audios of the jobs in flight; the windows of one count as that one."""
        return self._n_audios

    @property
    def n_queued(self) -> int:
        """Audios and windows that wait for a decoder or for the device."""
        return sum(map(len, self._queues))

    @property
    def queued_bytes(self) -> int:
        """Payload bytes of all jobs in flight."""
        return self._n_bytes

    @property
    def is_idle(self) -> bool:
        """Whether no job is in flight."""
        return not self._jobs

    def holds(self, request_id: RequestId) -> bool:
        """Whether a job of that id is in flight."""
        return request_id in self._jobs

    def oldest_queued(self) -> float | None:
        """When that audio arrived which has waited longest for a decoder or for the device."""
        queued = itertools.chain(*self._queues)
        return min((item.job.arrived_at for item in queued), default=None)

    @property
    def _queues(self) -> tuple[OrderedDict[Item, None], ...]:
        return (*self._undecoded.values(), *self._ready.values())

    def next_deadline(self) -> float | None:
        """The earliest deadline in flight."""
        deadlines = (job.deadline_at for job in self._jobs.values())
        return min((at for at in deadlines if at is not None), default=None)

    def admit(self, job: Job, audios: Sequence[Audio], retry_after_ms: int = 100) -> None:
        """Take ``job`` with an item for each of ``audios``, all or nothing.

        Raises:
            Draining: no more work is taken.
            InvalidParams: it could never fit.
            Overloaded: it does not fit now.
        """
        limits = self._limits
        if self._draining:
            raise Draining("shutting down: send the request to the next process")
        if len(audios) > limits.max_batch_items:
            raise InvalidParams(
                f"{len(audios)} items are too many for one request: the limit is "
                f"{limits.max_batch_items}; send several requests",
                kind="batch_too_large",
                max_batch_items=limits.max_batch_items,
            )
        n_audios, n_bytes = self._n_audios + len(audios), self._n_bytes + job.n_bytes
        if n_audios > limits.max_in_flight or n_bytes > limits.max_queued_bytes:
            raise Overloaded(
                f"{self._n_audios} audios of {self._n_bytes} bytes are in flight; with this "
                f"request it would be {n_audios} of {n_bytes} bytes, over the limit of "
                f"{limits.max_in_flight} of {limits.max_queued_bytes}; wait for an answer first",
                retry_after_ms=retry_after_ms,
                in_flight=self._n_audios,
                max_in_flight=limits.max_in_flight,
                queued_bytes=self._n_bytes,
                max_queued_bytes=limits.max_queued_bytes,
            )
        numbers = itertools.count(self._n_admitted)
        job.items = [Item(job, audio, (next(numbers), 0), _lane_of(audio)) for audio in audios]
        self._n_admitted = next(numbers)
        job.n_open = job.n_audios = len(job.items)
        has_windows = isinstance(job.params, EmbedWindowsParams)
        job.is_live = len(audios) <= _MOST_LIVE_AUDIOS and not has_windows
        for item in job.items:
            self._undecoded[_kind(item)][item] = None
        self._jobs[job.id] = job
        self._n_audios, self._n_bytes = n_audios, n_bytes

    def has_undecoded(self, lane: Lane) -> bool:
        """Whether something waits for a decoder."""
        return any(self._undecoded[lane, is_live] for is_live in (True, False))

    def next_undecoded(self, lane: Lane, now: float) -> Item | None:
        """The item to decode next, or None while none waits or enough is decoded already."""
        has_live, has_long = (self._may_decode((lane, is_live)) for is_live in (True, False))
        if not has_live and not has_long:
            return None
        is_live = self._decoder_turns[lane].is_live(has_live=has_live, has_long=has_long)
        item, _ = self._undecoded[lane, is_live].popitem(last=False)
        item.stage = Stage.DECODING
        item.decode_started_at = now
        return item

    def _may_decode(self, kind: _Kind) -> bool:
        return bool(self._undecoded[kind]) and self._ready_bytes[kind] < self._max_ready_bytes

    def decoded(self, item: Item, waveforms: Sequence[Waveform], now: float) -> None:
        """``item`` became these waveforms: one, or its windows."""
        if item.stage is not Stage.DECODING:
            return
        job, started_at = item.job, item.decode_started_at
        windows = [
            Item(
                job,
                None,
                (item.order[0], n),
                item.lane,
                waveform,
                waveform.n_samples,
                waveform.start_sample,
            )
            for n, waveform in enumerate(waveforms)
        ]
        position = job.items.index(item)
        job.items[position : position + 1] = windows
        job.n_open += len(windows) - 1
        item.stage, item.audio = Stage.DONE, None
        for window in windows:
            window.stage = Stage.READY
            window.decode_started_at, window.decode_ended_at = started_at, now
            self._ready[job.is_live][window] = None
            self._ready_bytes[_kind(window)] += window.n_samples * BYTES_PER_SAMPLE

    def next_batch(self, now: float) -> tuple[list[Item], list[Job]]:
        """The items for the device to run next, and the jobs whose deadline passed before that.

        Live items come before those of long work, which has one call in ``LONG_SHARE`` all the
        same; among each, the oldest comes first. There is none where nothing is ready.
        """
        late = self.expire(now)
        has_live, has_long = (bool(self._ready[is_live]) for is_live in (True, False))
        is_live = self._device_turns.is_live(has_live=has_live, has_long=has_long)
        ready = self._ready[is_live]
        batch = choose(ready, self.batch_limits) if ready else []
        for item in batch:
            self._leave_queue(item)
            item.stage = Stage.RUNNING
            item.run_started_at = now
        return batch, late

    def completed(
        self, items: Sequence[Item], outcomes: Sequence[Outcome], now: float
    ) -> list[Job]:
        """The device ran ``items`` together: the jobs that are finished by it."""
        # Before anything is changed: a wrong number of outcomes must leave all to be failed.
        pairs = list(zip(items, outcomes, strict=True))
        for item in items:
            item.batch_size = len(items)
            item.run_ended_at = now
        return self._finish((item, outcome) for item, outcome in pairs)

    def failed(self, item: Item, error: SidecarError) -> list[Job]:
        """``item`` will have no embedding."""
        return self._finish([(item, error)])

    def cancel(self, request_id: RequestId) -> list[Job]:
        """Drop what waits of that request; what runs may finish."""
        job = self._jobs.get(request_id)
        if job is None:
            return []
        error = Cancelled("the host cancelled this request")
        return self._finish((i, error) for i in job.items if i.stage is not Stage.RUNNING)

    def expire(self, now: float) -> list[Job]:
        """Give up, running or not, each job whose deadline has passed."""
        late = [
            j for j in self._jobs.values() if j.deadline_at is not None and j.deadline_at <= now
        ]
        return self._finish(
            (item, DeadlineExceeded("the deadline passed before the result was there"))
            for job in late
            for item in job.items
        )

    def drain(self) -> None:
        """Admit nothing more."""
        self._draining = True

    def fail_waiting(self, error: SidecarError) -> list[Job]:
        """Give up what does not run yet."""
        return self._finish(
            (item, error)
            for job in list(self._jobs.values())
            for item in job.items
            if item.stage is not Stage.RUNNING
        )

    def fail_all(self, error: SidecarError) -> list[Job]:
        """Give up everything."""
        jobs = list(self._jobs.values())
        return self._finish((item, error) for job in jobs for item in job.items)

    def _finish(self, outcomes: Iterable[tuple[Item, Outcome]]) -> list[Job]:
        finished: list[Job] = []
        for item, outcome in outcomes:
            if item.stage is Stage.DONE:
                continue
            self._leave_queue(item)
            item.stage, item.outcome = Stage.DONE, outcome
            item.audio = item.waveform = None
            job = item.job
            job.n_open -= 1
            if job.n_open == 0:
                del self._jobs[job.id]
                self._n_audios -= job.n_audios
                self._n_bytes -= job.n_bytes
                finished.append(job)
        return finished

    def _leave_queue(self, item: Item) -> None:
        if item.stage is Stage.UNDECODED:
            del self._undecoded[_kind(item)][item]
        elif item.stage is Stage.READY:
            del self._ready[item.job.is_live][item]
            self._ready_bytes[_kind(item)] -= item.n_samples * BYTES_PER_SAMPLE


class _Turns:
    """Whose turn it is: live work's, but one turn in ``LONG_SHARE`` is long work's."""

    def __init__(self) -> None:
        self._n_live_in_a_row = 0

    def is_live(self, *, has_live: bool, has_long: bool) -> bool:
        """Whether it is live work's; counts the turns for which long work waits."""
        is_longs = has_long and (not has_live or self._n_live_in_a_row >= LONG_SHARE - 1)
        self._n_live_in_a_row = self._n_live_in_a_row + 1 if has_long and not is_longs else 0
        return not is_longs


# A lane, and whether what is in it is live.
_Kind: TypeAlias = tuple[Lane, bool]
_KINDS: list[_Kind] = [(lane, is_live) for lane in Lane for is_live in (True, False)]


def _kind(item: Item) -> _Kind:
    return item.lane, item.job.is_live


def _lane_of(audio: Audio) -> Lane:
    return Lane.SAMPLES if isinstance(audio, PcmAudio) else Lane.FILES
