"""What is in flight, in which order it is served, and when it is too late: pure, no clock, no I/O.

A request is a ``Job`` of one or more ``Source``, each one audio; of each come one or more ``Item``,
waveforms to be embedded. A source is decoded step by step, an item goes once through queue and
device, or either is dropped on the way. Some jobs have a question for the gallery, with what came
of their audio, if they have any. When the last of these is done, the job is finished, and the call
that finished it returns it. So each job is returned exactly once.

Times are seconds of whatever monotonic clock the caller passes as ``now``. Not thread-safe: the
pipeline holds a lock around every call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from protocol.diarization import DiarizeParams
from protocol.errors import Cancelled, DeadlineExceeded, Draining, SidecarError
from protocol.gallery_params import QUESTIONS
from protocol.hello import Limits
from protocol.params import Audio, EmbedWindowsParams, RequestId
from sidecar.audio.waveform import Decoded, Part
from sidecar.diarization.streaming import StreamStep
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits
from sidecar.requests.admission import InFlight, check_counts, check_load, is_live
from sidecar.requests.decode_queue import DecodeQueue
from sidecar.requests.device_queue import DeviceQueue
from sidecar.requests.jobs import Answer, Item, Job, Lane, Outcome, Source, Stage, lane_of
from sidecar.requests.questions import Desk, Questions


class Scheduler:
    """Admits jobs within ``limits``, hands out what to do, and returns what is finished.

    Args:
        limits: how many audios and bytes may be in flight.
        max_decoded_bytes: see ``DecodeQueue``; one small file can become a long waveform.
    """

    def __init__(self, limits: Limits, max_decoded_bytes: int = 32 * 2**20) -> None:
        self.limits = limits
        self._jobs: dict[RequestId, Job] = {}
        self._undecoded = DecodeQueue(max_decoded_bytes)
        self._ready = DeviceQueue()
        self._questions = Questions()
        self._n_audios = 0
        self._n_bytes = 0
        self._numbers = itertools.count()
        self.is_draining = False
        # The device's; until it is known, nothing is ready to run.
        self.batch_limits: BatchLimits = ONE_BY_ONE

    @property
    def n_in_flight(self) -> int:
        """Audios of the jobs in flight; the parts of one count as that one; see ``Job``."""
        return self._n_audios

    @property
    def n_queued(self) -> int:
        """What waits: audios for a decoder, what was cut of them for the device, and questions."""
        return len(self._undecoded) + len(self._ready) + len(self._questions)

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
        """When that arrived which has waited longest: see ``n_queued``."""
        arrived_at = itertools.chain(
            (source.job.arrived_at for source in self._undecoded),
            (item.job.arrived_at for item in self._ready),
            (job.arrived_at for job in self._questions),
        )
        return min(arrived_at, default=None)

    def next_deadline(self) -> float | None:
        """The earliest deadline in flight."""
        deadlines = (job.deadline_at for job in self._jobs.values())
        return min((at for at in deadlines if at is not None), default=None)

    def admit(
        self,
        job: Job,
        audios: Sequence[Audio],
        retry_after_ms: int = 100,
        until: Callable[[], bool] | None = None,
    ) -> None:
        """Take ``job`` with a source for each of ``audios``, all or nothing; see ``Source.until``.

        Raises:
            Draining: no more work is taken.
            InvalidParams: it could never fit.
            Overloaded: it does not fit now.
        """
        n_audios, n_bytes = self._n_audios + max(1, len(audios)), self._n_bytes + job.n_bytes
        if self.is_draining:
            raise Draining("shutting down: send the request to the next process")
        check_counts(job.params, len(audios), self.limits)
        # What is held of streams has a limit of its own.
        if not isinstance(job.params, StreamStep):
            now_in_flight = InFlight(self._n_audios, self._n_bytes)
            check_load(now_in_flight, InFlight(n_audios, n_bytes), self.limits, retry_after_ms)
        job.is_live = is_live(job.params, len(audios))
        job.told_at = job.arrived_at
        job.sources = [
            Source(job, audio, number, lane_of(audio, job.params), until=until)
            for audio, number in zip(audios, self._numbers, strict=False)
        ]
        job.n_open = len(job.sources)
        if isinstance(job.params, (*QUESTIONS, StreamStep)):
            job.question = Stage.WAITING
            job.n_open += 1
        for source in job.sources:
            self._undecoded.put(source)
        self._jobs[job.id] = job
        self._n_audios, self._n_bytes = n_audios, n_bytes
        if not job.sources:
            self._questions.put(job)

    def has_undecoded(self, lane: Lane) -> bool:
        """Whether a decoder of that lane has something to do."""
        return self._undecoded.has_work(lane)

    def next_undecoded(self, lane: Lane, now: float) -> Source | None:
        """The audio to decode next, for a turn, or None while there is none."""
        source = self._undecoded.take(lane)
        if source is not None:
            source.turn_started_at = source.step_started_at = now
        return source

    def decoded(self, source: Source, steps: Sequence[Decoded], now: float) -> list[Job]:
        """What a turn of ``source`` has brought: the jobs that are finished by it.

        Unless it has ended, it waits for its next turn.
        """
        self._undecoded.turn_ends(source)
        if source.stage is not Stage.WORKED_ON:
            return []
        source.decode_s += now - source.turn_started_at
        for step in steps:
            source.n_parts = step.n_parts
            source.warnings, source.told = step.warnings, step.told
            source.duration_s, source.activity = step.duration_s, step.activity
            source.is_cut |= step.is_cut
            if step.part is not None:
                self._take_in(source, step.part)
            if step.quality is not None:
                for item in source.items:
                    item.quality = step.quality
        if steps and steps[-1].is_last:
            return self._finish_source(source, None)
        if steps:
            self._undecoded.holds(source, steps[-1].held_bytes)
            source.until = steps[-1].until
        self._undecoded.put(source)
        return []

    def look_again(self) -> None:
        """What an audio waited for may have come."""
        self._undecoded.look_again()

    def next_batch(self, now: float) -> tuple[list[Item], list[Job]]:
        """The items for the device to run next, and the jobs whose deadline passed before that."""
        late = self.expire(now)
        batch = self._ready.next_batch(self.batch_limits, now)
        for item in batch:
            self._leave_queue(item)
            item.stage = Stage.WORKED_ON
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
        return [job for pair in pairs for job in self._finish_item(*pair)]

    def has_question(self, desk: Desk) -> bool:
        """Whether that desk is asked anything."""
        return self._questions.wait_at(desk)

    def next_question(self, desk: Desk, now: float) -> tuple[Job | None, list[Job]]:
        """The job whose question comes next, if any does, and those whose deadline passed."""
        late = self.expire(now)
        job = self._questions.take(desk)
        if job is not None:
            job.question = Stage.WORKED_ON
            # What the gallery has kept must not be answered as if it had come too late.
            job.deadline_at = None
        return job, late

    def answered(self, job: Job, answer: Answer | SidecarError) -> list[Job]:
        """The question of ``job`` is answered."""
        if job.question is not Stage.WORKED_ON:
            return []
        return self._finish_question(job, answer)

    def failed(self, source: Source, error: SidecarError) -> list[Job]:
        """``source`` cannot be decoded, or not any further."""
        if isinstance(source.job.params, (EmbedWindowsParams, DiarizeParams, StreamStep)):
            # What was cut before counts no more: the answer is the error.
            return self._give_up([source.job], error)
        return self._finish_source(source, error)

    def cancel(self, request_id: RequestId) -> list[Job]:
        """Drop what waits of that request; what runs, or is asked, may finish."""
        job = self._jobs.get(request_id)
        error = Cancelled("the host cancelled this request")
        return [] if job is None else self._give_up([job], error)

    def expire(self, now: float) -> list[Job]:
        """Give up, running or not, each job whose deadline has passed."""
        late = [
            j for j in self._jobs.values() if j.deadline_at is not None and j.deadline_at <= now
        ]
        error = DeadlineExceeded("the deadline passed before the result was there")
        return self._give_up(late, error, and_what_runs=True)

    def drain(self) -> None:
        """Admit nothing more."""
        self.is_draining = True

    def fail_waiting(self, error: SidecarError) -> list[Job]:
        """Give up what does not run yet."""
        return self._give_up(list(self._jobs.values()), error)

    def fail_all(self, error: SidecarError) -> list[Job]:
        """Give up everything but what the gallery is asked: it may have been kept already."""
        return self._give_up(list(self._jobs.values()), error, and_what_runs=True)

    def _give_up(
        self, jobs: Iterable[Job], error: SidecarError, *, and_what_runs: bool = False
    ) -> list[Job]:
        finished: list[Job] = []
        for job in jobs:
            for source in job.sources:
                for item in source.items:
                    if and_what_runs or item.stage is Stage.WAITING:
                        finished += self._finish_item(item, error)
                # Of one that is cut the device may have all: that may finish, untold of.
                is_given_up = and_what_runs or not source.is_cut
                finished += self._finish_source(source, error if is_given_up else None)
            if job in self._questions:
                finished += self._finish_question(job, error)
        return finished

    def _take_in(self, source: Source, part: Part) -> None:
        waveform, job = part.waveform, source.job
        item = Item(source, (source.number, part.index), source.decode_s)
        source.items.append(item)
        if isinstance(waveform, SidecarError):
            item.stage, item.outcome = Stage.DONE, waveform
            job.n_done += 1
            return
        item.waveform, item.n_samples = waveform, waveform.n_samples
        item.start_sample = waveform.start_sample
        item.stereo, item.warnings = waveform.stereo, waveform.warnings
        job.n_open += 1
        self._ready.put(item)
        self._undecoded.item_waits(item)

    def _finish_item(self, item: Item, outcome: Outcome) -> list[Job]:
        if item.stage is Stage.DONE:
            return []
        if item.stage is Stage.WAITING:
            self._leave_queue(item)
        item.stage, item.outcome, item.waveform = Stage.DONE, outcome, None
        item.job.n_done += 1
        return self._close_one(item.job)

    def _finish_source(self, source: Source, error: SidecarError | None) -> list[Job]:
        if source.stage is Stage.DONE:
            return []
        if source.stage is Stage.WAITING:
            self._undecoded.remove(source)
            if source.steps is not None:
                source.steps.close()
        self._undecoded.holds(source, 0)
        source.stage, source.error, source.steps = Stage.DONE, error, None
        return self._close_one(source.job)

    def _finish_question(self, job: Job, answer: Answer | SidecarError) -> list[Job]:
        if job.question is Stage.WAITING:
            self._questions.remove(job)
        job.question, job.answer = Stage.DONE, answer
        return self._close_one(job)

    def _close_one(self, job: Job) -> list[Job]:
        job.n_open -= 1
        if job.n_open == 1 and job.question is Stage.WAITING:
            if job.fault is None:
                self._questions.put(job)
            else:
                job.question, job.n_open = Stage.DONE, 0
        if job.n_open:
            return []
        del self._jobs[job.id]
        self._n_audios -= job.n_audios
        self._n_bytes -= job.n_bytes
        return [job]

    def _leave_queue(self, item: Item) -> None:
        self._ready.remove(item)
        self._undecoded.item_waits_no_more(item)
