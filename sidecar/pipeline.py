"""The stages between admission and answer: a small decode pool, one device worker, one lock.

Every call of the scheduler is made here, under the lock; so is every answer. Answers never block
(the writer queues them), so the lock is only ever held for microseconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocol.errors import BadAudio, InternalError, SidecarError
from protocol.params import RequestId
from sidecar.scheduler import Decoded, Item, Job, Outcome, Scheduler

_log = logging.getLogger(__name__)

N_DECODERS = 2
# The decoder gives up by itself after 30 s, unless it hangs inside a C library.
DECODE_TIMEOUT_S = 35.0
# Hung decoders cannot be stopped, only replaced; this many and no more.
_MAX_HUNG_DECODERS = 8


class Stages(Protocol):
    """What the pipeline's threads run. Each method names the thread that calls it."""

    def load(self, allow_decoding: Callable[[], None]) -> None:
        """Device worker, once: get everything ready; decoders start at ``allow_decoding()``."""

    def decode(self, item: Item) -> Sequence[Decoded]:
        """Decode pool: the item's waveform or windows; raises ``SidecarError``."""

    def embed(self, waveforms: Sequence[object]) -> Sequence[Outcome]:
        """Device worker: an outcome for each; raises if the device can no longer be used."""

    def answer(self, job: Job) -> None:
        """Any thread, under the lock, once for each job: send its response."""

    def loaded(self) -> None:
        """Device worker, once: ``load`` returned."""

    def failed(self, error: SidecarError) -> None:
        """Any thread: a stage is broken, and with it the process."""


@dataclass(slots=True)
class DeviceWork:
    """What the device has done. ``call_started_at``: of the call that runs now, or None."""

    n_batches: int = 0
    n_embeddings: int = 0
    n_samples: int = 0
    busy_s: float = 0.0
    call_started_at: float | None = None


class Pipeline:
    """Runs the stages' threads around ``scheduler``."""

    def __init__(
        self,
        scheduler: Scheduler,
        stages: Stages,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheduler = scheduler
        self._stages = stages
        self._clock = clock
        self.lock = threading.RLock()
        self._decodable = threading.Condition(self.lock)
        self._embeddable = threading.Condition(self.lock)
        self._idle = threading.Condition(self.lock)
        self._may_decode = False
        self._stopped = False
        self._decoding: dict[threading.Thread, Item] = {}
        self._n_hung_decoders = 0
        self._worker = threading.Thread(target=self._work, name="device", daemon=True)
        self.device_work = DeviceWork()

    def start(self) -> None:
        """Start all threads; the worker loads first."""
        self._worker.start()
        for _ in range(N_DECODERS):
            self._start_decoder()

    def admit(self, job: Job, audios: Sequence[object], retry_after_ms: int) -> None:
        """Take a job in; raises what ``Scheduler.admit`` raises."""
        with self.lock:
            self._scheduler.admit(job, audios, retry_after_ms)
            self._decodable.notify(len(audios))

    def cancel(self, request_id: RequestId) -> None:
        """Answer what waits of that request."""
        with self.lock:
            self._answer(self._scheduler.cancel(request_id))

    def tick(self) -> None:
        """Give up what is late: jobs past their deadline, decoders that hang."""
        now = self._clock()
        with self.lock:
            self._answer(self._scheduler.expire(now))
            for thread, item in list(self._decoding.items()):
                if now - item.decode_started_at > DECODE_TIMEOUT_S:
                    self._replace_decoder(thread, item)

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
            self._decodable.notify_all()
            self._embeddable.notify_all()
        self._worker.join(timeout_s)

    def _answer(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._stages.answer(job)
        if jobs:
            self._decodable.notify()
        if self._scheduler.is_idle:
            self._idle.notify_all()

    # Decode pool

    def _allow_decoding(self) -> None:
        with self.lock:
            self._may_decode = True
            self._decodable.notify_all()

    def _start_decoder(self) -> None:
        threading.Thread(target=self._decode, name="decoder", daemon=True).start()

    def _decode(self) -> None:
        thread = threading.current_thread()
        while (item := self._next_undecoded(thread)) is not None:
            decoded = self._try_to_decode(item)
            with self.lock:
                if self._decoding.pop(thread, None) is None:
                    return  # given up as hung, and replaced
                if isinstance(decoded, SidecarError):
                    self._answer(self._scheduler.failed(item, decoded))
                else:
                    self._scheduler.decoded(item, decoded, self._clock())
                    self._embeddable.notify()

    def _try_to_decode(self, item: Item) -> Sequence[Decoded] | SidecarError:
        try:
            return self._stages.decode(item)
        except SidecarError as error:
            return error
        except Exception:  # noqa: BLE001 - one request fails, whatever it is; the process goes on
            # Decoding keeps no state between audios, so the next one is not in danger.
            _log.exception("decoding failed in a way that it should not")
            return InternalError("decoding this audio failed inside; the log has the cause")

    def _next_undecoded(self, thread: threading.Thread) -> Item | None:
        with self.lock:
            while not self._stopped:
                if self._may_decode:
                    item = self._scheduler.next_undecoded(self._clock())
                    if item is not None:
                        self._decoding[thread] = item
                        return item
                self._decodable.wait()
            return None

    def _replace_decoder(self, thread: threading.Thread, item: Item) -> None:
        del self._decoding[thread]
        self._n_hung_decoders += 1
        _log.error("a decoder hangs since %.0f s; replacing it", DECODE_TIMEOUT_S)
        message = f"decoding took over {DECODE_TIMEOUT_S:.0f} s: is the file damaged?"
        self._answer(self._scheduler.failed(item, BadAudio(message, kind="decode_timeout")))
        if self._n_hung_decoders > _MAX_HUNG_DECODERS:
            self._stages.failed(InternalError("too many decoders hang"))
        else:
            self._start_decoder()

    # Device worker

    def _work(self) -> None:
        try:
            self._stages.load(self._allow_decoding)
            self._stages.loaded()
            while batch := self._next_batch():
                self._embed(batch)
        except SidecarError as error:
            self._stages.failed(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends with it
            _log.exception("the device worker failed")
            self._stages.failed(InternalError(f"{type(error).__name__}: {error}"))

    def _next_batch(self) -> list[Item]:
        with self.lock:
            while not self._stopped:
                batch = self._scheduler.next_batch(self._clock())
                if batch:
                    self._decodable.notify()
                    self.device_work.call_started_at = batch[0].run_started_at
                    return batch
                self._embeddable.wait()
            return []

    def _embed(self, batch: list[Item]) -> None:
        outcomes = self._stages.embed([item.waveform for item in batch])
        with self.lock:
            now = self._clock()
            work = self.device_work
            work.n_batches += 1
            work.n_embeddings += len(batch)
            work.n_samples += sum(item.n_samples for item in batch)
            work.busy_s += now - batch[0].run_started_at
            work.call_started_at = None
            # Whoever ticks may be late: what is past its deadline must not be answered in time.
            self._answer(self._scheduler.expire(now))
            self._answer(self._scheduler.completed(batch, outcomes, now))
