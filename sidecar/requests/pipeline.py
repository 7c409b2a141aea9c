"""From admission to answer: a few decoders, one device worker, a few who ask, one lock.

The encoder is held here. Every call of the scheduler is made under the lock; so is every answer.
Answers never block (the writer queues what the host has no room for), so the lock is never held for
longer than it takes to choose a batch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from protocol.errors import OutOfMemory, SidecarError
from protocol.params import Audio, RequestId
from sidecar.audio.waveform import Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.streaming import StreamStep
from sidecar.hardware.cores import make_way_for
from sidecar.requests.askers import Asked, Askers
from sidecar.requests.decoders import Decoders
from sidecar.requests.jobs import Item, Job, Outcome, Source, Stage
from sidecar.requests.lifecycle import Lifecycle
from sidecar.requests.meter import Meter
from sidecar.requests.open_streams import OpenStreams
from sidecar.requests.outbox import Outbox
from sidecar.requests.progress import progress_due
from sidecar.requests.scheduler import Scheduler
from sidecar.requests.vital_thread import vital_thread

if TYPE_CHECKING:
    # They import numpy and more, for which the reader does not wait.
    from sidecar.diarization.engine import DiarizingEngine
    from sidecar.engine.encoder import Encoder

_log = logging.getLogger(__name__)

# After so long without work, the memory that only work needs is given back.
REST_AFTER_S = 5.0


class Pipeline:
    """Runs the threads around ``scheduler``.

    Args:
        scheduler: what is in flight.
        engine: gives the decoder, then the encoder.
        asked: what else must be known than embeddings, once the model serves.
        outbox: where finished jobs are answered.
        lifecycle: is told how the threads fare.
        clock: gives seconds, such as ``time.perf_counter``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it is where they meet
        self,
        scheduler: Scheduler,
        engine: DiarizingEngine,
        asked: Asked,
        outbox: Outbox,
        lifecycle: Lifecycle,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._scheduler = scheduler
        self._engine = engine
        self.streams = OpenStreams(scheduler, outbox, clock)
        self._outbox = outbox
        self._lifecycle = lifecycle
        self._encoder: Encoder
        self._clock = clock
        self.lock = threading.RLock()
        self._decoders = Decoders(
            scheduler, self.lock, self._decoded, lifecycle, clock, self._make_way
        )
        self._askers = Askers(scheduler, self.lock, asked, self._answer, lifecycle, clock)
        self._embeddable = threading.Condition(self.lock)
        self._idle = threading.Condition(self.lock)
        self._stopped = False
        self._is_rested = False
        self._worker = vital_thread(self._work, "device", lifecycle)
        self.meter = Meter()

    def start(self) -> None:
        """Start all threads; the worker loads first."""
        self._worker.start()
        self._askers.start()
        self._decoders.start()

    def admit(self, job: Job, audios: Sequence[Audio], retry_after_ms: int) -> None:
        """Take a job in; raises what ``Scheduler.admit`` raises."""
        with self.lock:
            self._scheduler.admit(job, audios, retry_after_ms)
            self._decoders.wake()
            self._askers.wake()

    def holds(self, request_id: RequestId) -> bool:
        """Whether a job of that id is in flight."""
        with self.lock:
            return self._scheduler.holds(request_id)

    def cancel(self, request_id: RequestId) -> None:
        """Answer what waits of that request."""
        with self.lock:
            self._answer(self._scheduler.cancel(request_id))

    def tick(self) -> None:
        """Give up what is late: jobs past their deadline, decoders that hang."""
        with self.lock:
            self._answer(self._scheduler.expire(self._clock()))
            self._answer(self._decoders.give_up_hung())

    def slept(self, seconds: float) -> None:
        """The machine slept that long: nobody worked meanwhile, and nobody hung."""
        with self.lock:
            self.meter.slept(seconds)
            self._decoders.slept(seconds)

    def look_again(self) -> None:
        """What an audio waits for may have come."""
        with self.lock:
            self._scheduler.look_again()
            self._decoders.wake()

    def drain(self) -> None:
        """Admit nothing more."""
        with self.lock:
            self._scheduler.drain()

    def fail_waiting(self, error: SidecarError) -> None:
        """Answer all that does not run yet with ``error``."""
        with self.lock:
            self._answer(self._scheduler.fail_waiting(error))

    def fail_all(self, error: SidecarError) -> None:
        """Answer all that is in flight with ``error``, but what the gallery is asked just now."""
        with self.lock:
            self._answer(self._scheduler.fail_all(error))

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Whether nothing was in flight within ``timeout_s``."""
        with self.lock:
            return self._idle.wait_for(lambda: self._scheduler.is_idle, timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End the threads, waiting for the askers and the worker for at most ``timeout_s``."""
        stop_by = time.perf_counter() + timeout_s
        with self.lock:
            self._stopped = True
            self._decoders.stop()
            self._embeddable.notify_all()
            self._askers.stop()
        self._askers.join(stop_by)
        self._worker.join(max(0.0, stop_by - time.perf_counter()))

    def _answer(self, jobs: Sequence[Job]) -> None:
        finished = deque(jobs)
        while finished:
            job = finished.popleft()
            step = job.params if isinstance(job.params, StreamStep) else None
            if step is not None:
                finished += self.streams.finished(job, step)
            if step is None or step.ending is not None:
                self._outbox.finish(job)
            # Items name their source, and sources their job: in a cycle, the audio would outlive
            # its answer by minutes.
            for source in job.sources:
                source.items.clear()
            job.sources.clear()
        self._decoders.wake()
        self._askers.wake()
        if self._scheduler.is_idle:
            self._idle.notify_all()

    def _decoded(self, source: Source, finished: Sequence[Job], *, has_parts: bool) -> None:
        self._answer(finished)
        self._tell_progress([source.job], self._clock())
        if has_parts:
            self._embeddable.notify()

    def _make_way(self) -> None:
        make_way_for(self._worker, has_begun=self.meter.call_started_at is not None)

    # Device worker

    def _load(self) -> None:
        decoder = self._engine.import_libraries()
        self._lifecycle.libraries_imported()
        with self.lock:
            self._decoders.allow(decoder)
        self._encoder = self._engine.open(self._lifecycle.loading, self._lifecycle.is_stopping)
        with self.lock:
            self._scheduler.batch_limits = self._encoder.batch_limits
        self._lifecycle.serving(self._encoder)
        with self.lock:
            self._askers.allow()

    def _work(self) -> None:
        try:
            self._load()
            # What was run is no local of this frame, which would hold it until the next batch.
            while self._run_next_batch():
                pass
        except SidecarError as error:
            self._lifecycle.failed(error)

    def _run_next_batch(self) -> bool:
        """Wait for a batch and run it, or rest; False: there will be none."""
        batch = self._next_batch()
        if batch:
            self._embed(batch)
        elif batch is not None:
            self._encoder.rest()
        self._is_rested = not batch
        return batch is not None

    def _next_batch(self) -> list[Item] | None:
        """The next batch; an empty one after a while without any; None: there will be none."""
        with self.lock:
            while not self._stopped:
                batch, late = self._scheduler.next_batch(self._clock())
                self._answer(late)
                if batch:
                    self._decoders.wake()
                    return batch
                if not self._embeddable.wait(None if self._is_rested else REST_AFTER_S):
                    return []
            return None

    def _embed(self, batch: list[Item]) -> None:
        """Run ``batch``; what does not fit into the device's memory, in halves."""
        parts = [batch]
        while parts:
            with self.lock:
                # Some may have passed their deadline meanwhile; their audio is gone.
                part = [item for item in parts.pop() if item.stage is Stage.WORKED_ON]
                waveforms = [item.waveform for item in part if item.waveform is not None]
                now = self._clock()
                for item in part:
                    item.run_started_at = now
            if not part:
                continue
            outcomes = self._try_to_embed(waveforms, now)
            if outcomes is None:
                middle = (len(part) + 1) // 2
                parts += [part[middle:], part[:middle]]
            else:
                self._complete(part, outcomes)

    def _try_to_embed(self, waveforms: list[Waveform], now: float) -> Sequence[Outcome] | None:
        """An outcome for each, or None if they do not fit into the device's memory together."""
        self.meter.call_starts(now, self._padded_s(waveforms))
        try:
            return self._encoder.embed(waveforms)
        except OutOfMemory as error:
            # Only words leave this block: the traceback holds what filled the memory.
            message = error.message
        finally:
            self.meter.call_ends(self._clock())
        if len(waveforms) > 1:
            _log.warning("%d audios do not fit into memory together: halving", len(waveforms))
            return None
        return [OutOfMemory(message)]

    def _padded_s(self, waveforms: Sequence[Waveform]) -> float:
        longest = max(waveform.n_samples for waveform in waveforms)
        padded_samples = self._scheduler.batch_limits.padded_samples(longest)
        return padded_samples * len(waveforms) / SAMPLE_RATE_HZ

    def _complete(self, part: list[Item], outcomes: Sequence[Outcome]) -> None:
        with self.lock:
            now = self._clock()
            # Whoever ticks may be late: what is past its deadline must not be answered in time.
            self._answer(self._scheduler.expire(now))
            # Answered first: what follows is not what a host waits for.
            self._answer(self._scheduler.completed(part, outcomes, now))
            self.meter.ran(part, self._scheduler.batch_limits)
            self._tell_progress({item.job for item in part}, now)

    def _tell_progress(self, jobs: Iterable[Job], now: float) -> None:
        for job in jobs:
            progress = progress_due(job, now)
            if progress is not None:
                self._outbox.notify(progress)
