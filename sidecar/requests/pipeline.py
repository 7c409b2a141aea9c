"""From admission to answer: a few decoders, one device worker, one lock.

The decoder and the encoder are held here. Every call of the scheduler is made under the lock; so is
every answer. Answers never block (the writer queues them), so the lock is never held for longer
than it takes to choose a batch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from protocol.errors import BadAudio, InternalError, OutOfMemory, SidecarError
from protocol.params import Audio, RequestId
from sidecar.audio.waveform import Decoded, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.requests.decode_turn import decode_for_a_turn
from sidecar.requests.jobs import Item, Job, Lane, Outcome, Source, Stage
from sidecar.requests.lifecycle import Lifecycle
from sidecar.requests.meter import Meter
from sidecar.requests.outbox import Outbox
from sidecar.requests.progress import progress_due
from sidecar.requests.scheduler import Scheduler

if TYPE_CHECKING:
    # They import numpy and more, for which the reader does not wait.
    from sidecar.audio.decoder import Decoder
    from sidecar.engine.encoder import Encoder
    from sidecar.engine.speech_engine import SpeechEngine
    from sidecar.speech.engine import HearingEngine
    from sidecar.speech.hearing import Hearing

_log = logging.getLogger(__name__)

N_DECODERS = {Lane.SAMPLES: 1, Lane.FILES: 2}
# For one block of a file, which takes milliseconds. Then the file is given up; a decoder that does
# not come back from a C library after so many times as long is replaced.
DECODE_TIMEOUT_S = 30.0
_REPLACED_AFTER = 1.2
# After so long without work, the memory that only work needs is given back.
REST_AFTER_S = 5.0
# Hung decoders cannot be stopped, only replaced; this many and no more.
_MAX_HUNG_DECODERS = 8


class Pipeline:
    """Runs the threads around ``scheduler``.

    Args:
        scheduler: what is in flight.
        engine: gives the decoder, then the encoder.
        outbox: where finished jobs are answered.
        lifecycle: is told how the threads fare.
        clock: gives seconds, such as ``time.perf_counter``.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        engine: SpeechEngine | HearingEngine,
        outbox: Outbox,
        lifecycle: Lifecycle,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._scheduler = scheduler
        self._engine = engine
        self._outbox = outbox
        self._lifecycle = lifecycle
        self._decoder: Decoder | Hearing
        self._encoder: Encoder
        self._clock = clock
        self.lock = threading.RLock()
        self._decodable = {lane: threading.Condition(self.lock) for lane in Lane}
        self._embeddable = threading.Condition(self.lock)
        self._idle = threading.Condition(self.lock)
        self._may_decode = False
        self._stopped = False
        self._decoding: dict[threading.Thread, Source] = {}
        self._n_hung_decoders = 0
        self._is_rested = False
        self._worker = self._thread(self._work, "device")
        self.meter = Meter()

    def start(self) -> None:
        """Start all threads; the worker loads first."""
        self._worker.start()
        for lane, n_decoders in N_DECODERS.items():
            for _ in range(n_decoders):
                self._start_decoder(lane)

    def admit(self, job: Job, audios: Sequence[Audio], retry_after_ms: int) -> None:
        """Take a job in; raises what ``Scheduler.admit`` raises."""
        with self.lock:
            self._scheduler.admit(job, audios, retry_after_ms)
            self._wake_decoders()

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
        now = self._clock()
        with self.lock:
            self._answer(self._scheduler.expire(now))
            for thread, source in list(self._decoding.items()):
                decoding_s = now - source.step_started_at
                if decoding_s > DECODE_TIMEOUT_S:
                    self._answer(self._scheduler.failed(source, _decode_timeout()))
                if decoding_s > _REPLACED_AFTER * DECODE_TIMEOUT_S:
                    self._replace_decoder(thread, source)

    def slept(self, seconds: float) -> None:
        """The machine slept that long: nobody worked meanwhile, and nobody hung."""
        with self.lock:
            self.meter.slept(seconds)
            for source in self._decoding.values():
                source.turn_started_at += seconds
                source.step_started_at += seconds

    def look_again(self) -> None:
        """What an audio waits for may have come."""
        with self.lock:
            self._scheduler.look_again()
            self._wake_decoders()

    def drain(self) -> None:
        """Admit nothing more."""
        with self.lock:
            self._scheduler.drain()

    def fail_waiting(self, error: SidecarError) -> None:
        """Answer all that does not run yet with ``error``."""
        with self.lock:
            self._answer(self._scheduler.fail_waiting(error))

    def fail_all(self, error: SidecarError) -> None:
        """Answer all that is in flight with ``error``."""
        with self.lock:
            self._answer(self._scheduler.fail_all(error))

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Whether nothing was in flight within ``timeout_s``."""
        with self.lock:
            return self._idle.wait_for(lambda: self._scheduler.is_idle, timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End the threads, waiting for the worker for at most ``timeout_s``."""
        with self.lock:
            self._stopped = True
            for decodable in self._decodable.values():
                decodable.notify_all()
            self._embeddable.notify_all()
        self._worker.join(timeout_s)

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - without its threads a pipeline answers nobody
                _log.critical("the %s thread died", name, exc_info=error)
                self._lifecycle.failed(InternalError(f"the {name} thread died: {error!r}"))

        return threading.Thread(target=run, name=name, daemon=True)

    def _answer(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._outbox.finish(job)
            # Items name their source, and sources their job: in a cycle, the audio would outlive
            # its answer by minutes.
            for source in job.sources:
                source.items.clear()
            job.sources.clear()
        self._wake_decoders()
        if self._scheduler.is_idle:
            self._idle.notify_all()

    # Decoders

    def _wake_decoders(self) -> None:
        """One in each lane where something waits: to wake others costs live requests time.

        Who finds more than its own wakes the next one.
        """
        for lane, decodable in self._decodable.items():
            if self._scheduler.has_undecoded(lane):
                decodable.notify()

    def _allow_decoding(self) -> None:
        with self.lock:
            self._may_decode = True
            self._wake_decoders()

    def _start_decoder(self, lane: Lane) -> None:
        self._thread(lambda: self._decode(lane), "decoder").start()

    def _decode(self, lane: Lane) -> None:
        thread = threading.current_thread()
        # What was decoded is no local of this frame, which would hold it until the next one.
        while self._decode_next(lane, thread):
            pass

    def _decode_next(self, lane: Lane, thread: threading.Thread) -> bool:
        """Wait for an audio and decode it for a turn; False: this thread is needed no more."""
        source = self._next_undecoded(lane, thread)
        if source is None:
            return False
        steps: list[Decoded] = []
        error = decode_for_a_turn(source, self._decoder, self._clock, steps)
        with self.lock:
            if self._decoding.pop(thread, None) is None:
                self._n_hung_decoders -= 1
                return False  # given up as hung, and replaced
            now = self._clock()
            finished = self._scheduler.decoded(source, steps, now)
            if error is not None:
                finished += self._scheduler.failed(source, error)
            self._answer(finished)
            self._tell_progress([source.job], now)
            if any(step.part is not None for step in steps):
                self._embeddable.notify()
        return True

    def _next_undecoded(self, lane: Lane, thread: threading.Thread) -> Source | None:
        with self.lock:
            while not self._stopped:
                if self._may_decode:
                    source = self._scheduler.next_undecoded(lane, self._clock())
                    if source is not None:
                        self._decoding[thread] = source
                        if self._scheduler.has_undecoded(lane):
                            self._decodable[lane].notify()
                        return source
                self._decodable[lane].wait()
            return None

    def _replace_decoder(self, thread: threading.Thread, source: Source) -> None:
        del self._decoding[thread]
        self._scheduler.decoded(source, (), self._clock())
        self._n_hung_decoders += 1
        hung_s = _REPLACED_AFTER * DECODE_TIMEOUT_S
        _log.error("a decoder has been hanging for %.0f s; replacing it", hung_s)
        if self._n_hung_decoders > _MAX_HUNG_DECODERS:
            self._lifecycle.failed(InternalError("too many decoders hang"))
        else:
            self._start_decoder(source.lane)

    # Device worker

    def _load(self) -> None:
        self._decoder = self._engine.import_libraries()
        self._lifecycle.libraries_imported()
        self._allow_decoding()
        self._encoder = self._engine.open(self._lifecycle.loading, self._lifecycle.is_stopping)
        with self.lock:
            self._scheduler.batch_limits = self._encoder.batch_limits
        self._lifecycle.serving(self._encoder)

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
                    self._wake_decoders()
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
            finished = self._scheduler.completed(part, outcomes, now)
            self.meter.ran(part, self._scheduler.batch_limits)
            self._answer(finished)
            self._tell_progress({item.job for item in part}, now)

    def _tell_progress(self, jobs: Iterable[Job], now: float) -> None:
        for job in jobs:
            progress = progress_due(job, now)
            if progress is not None:
                self._outbox.notify(progress)


def _decode_timeout() -> BadAudio:
    message = f"decoding took over {DECODE_TIMEOUT_S:.0f} s: is the file damaged?"
    return BadAudio(message, kind="decode_timeout")
