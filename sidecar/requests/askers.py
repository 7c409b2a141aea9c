"""The threads that put the questions of finished jobs, one for each desk."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from protocol.errors import SidecarError
from sidecar.requests.jobs import Answer, Job
from sidecar.requests.lifecycle import Lifecycle
from sidecar.requests.questions import Desk
from sidecar.requests.scheduler import Scheduler
from sidecar.requests.vital_thread import vital_thread


class Asked(Protocol):
    """Who knows the answers; called by all threads at once."""

    def ask(self, job: Job) -> Answer | SidecarError:
        """The answer to the question of ``job``, all of whose items are embedded."""

    def close(self) -> None:
        """Nothing more will be asked."""


class Askers:
    """Asks what ``scheduler`` hands out; all but ``start`` and ``join`` is called under ``lock``.

    Args:
        scheduler: what is in flight.
        lock: guards it.
        asked: gives the answers.
        on_finished: takes the jobs that are finished; called under the lock.
        lifecycle: is told if a thread dies.
        clock: gives seconds, such as ``time.perf_counter``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - as those of ``Decoders``
        self,
        scheduler: Scheduler,
        lock: threading.RLock,
        asked: Asked,
        on_finished: Callable[[Sequence[Job]], None],
        lifecycle: Lifecycle,
        clock: Callable[[], float],
    ) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._asked = asked
        self._on_finished = on_finished
        self._clock = clock
        self._askable = {desk: threading.Condition(lock) for desk in Desk}
        self._may_ask = False
        self._stopped = False
        self._threads = [
            vital_thread(functools.partial(self._ask_all, desk), desk.value, lifecycle)
            for desk in Desk
        ]
        self._n_asking = len(self._threads)

    def start(self) -> None:
        """Start the threads; they wait for ``allow``."""
        for thread in self._threads:
            thread.start()

    def allow(self) -> None:
        """Ask from now on: the model serves."""
        self._may_ask = True
        self.wake()

    def wake(self) -> None:
        """Ask what waits."""
        for desk, askable in self._askable.items():
            if self._may_ask and self._scheduler.has_question(desk):
                askable.notify()

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped = True
        for askable in self._askable.values():
            askable.notify()

    def join(self, stop_by: float) -> None:
        """Wait for the threads until ``stop_by``, of ``time.perf_counter``."""
        for thread in self._threads:
            thread.join(max(0.0, stop_by - time.perf_counter()))

    def _ask_all(self, desk: Desk) -> None:
        # What was asked is no local of this frame, which would hold its audio until the next one.
        while self._ask_next(desk):
            pass
        with self._lock:
            self._n_asking -= 1
            is_last = self._n_asking == 0
        if is_last:
            self._asked.close()

    def _ask_next(self, desk: Desk) -> bool:
        """Wait for a question and put it; False: there will be none."""
        job = self._next_question(desk)
        if job is None:
            return False
        answer = self._asked.ask(job)
        with self._lock:
            self._on_finished(self._scheduler.answered(job, answer))
        return True

    def _next_question(self, desk: Desk) -> Job | None:
        with self._lock:
            while not self._stopped:
                if self._may_ask:
                    job, late = self._scheduler.next_question(desk, self._clock())
                    self._on_finished(late)
                    if job is not None:
                        return job
                self._askable[desk].wait()
            return None
