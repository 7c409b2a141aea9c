"""The life of one child, from ``hello`` to its exit code.

The main thread waits for the exit, ticks, and ends; the reader's thread dispatches; the pipeline
has threads of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from protocol.errors import DeviceError, FramingError, InternalError, InvalidRequest, SidecarError
from protocol.params import RequestId, ShutdownParams
from protocol.reports import HealthError, Progress, ShutdownResult, State
from sidecar.config import (
    EXIT_IO,
    EXIT_OK,
    EXIT_PROTOCOL,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    Config,
)
from sidecar.diarization import opening as diarization_opening
from sidecar.diarization.engine import DiarizingEngine
from sidecar.engine.lazy_loader import LazyLoader, Open
from sidecar.requests.exits import STOP_S, Exit, exit_at_once, exit_by_shutdown, exit_for_fault
from sidecar.requests.gallery_desk import GalleryDesk
from sidecar.requests.outbox import Outbox
from sidecar.requests.pipeline import Pipeline
from sidecar.requests.responses import Served
from sidecar.requests.scheduler import Scheduler
from sidecar.requests.scoring import Calibrations
from sidecar.speech import opening as speech_opening
from sidecar.speech.engine import HearingEngine
from sidecar.wire.reader import FrameReader
from sidecar.wire.streams import Streams
from sidecar.wire.writer import FrameWriter

if TYPE_CHECKING:
    # They import numpy or psutil, for which the reader does not wait.
    from sidecar.engine.encoder import Encoder
    from sidecar.engine.segmentation import Segmenter
    from sidecar.engine.speech_engine import SpeechEngine
    from sidecar.requests.status import Status
    from sidecar.speech.detector import SpeechDetector
    from sidecar.wire.host_watch import HostWatch

_log = logging.getLogger(__name__)

# A device call may take so long, or so many times as long as the audio that it computes.
DEVICE_CALL_TIMEOUT_S, _DEVICE_CALL_TIMES_AUDIO = 60.0, 5.0
_TICK_S = 0.25
# Between two ticks: then the machine slept, or the whole process did.
_ASLEEP_S = 10.0


class Server:
    """One child, from ``hello`` to its exit code.

    Args:
        config: what was asked for.
        streams: the wire.
        engine: decodes and embeds.
        open_detector: gives what hears speech, when that is needed.
        open_segmenter: gives what hears who speaks when, when that is needed.
    """

    def __init__(
        self,
        config: Config,
        streams: Streams,
        engine: SpeechEngine,
        open_detector: Open[SpeechDetector],
        open_segmenter: Open[Segmenter],
    ) -> None:
        self._config = config
        self._streams = streams
        self._scheduler = Scheduler(config.limits)
        self._writer = FrameWriter(streams, self._output_lost)
        self._outbox = Outbox(self._writer)
        self._calibrations = Calibrations(config.calibration)
        self._speech = LazyLoader(open_detector, self.is_stopping, speech_opening.DOES)
        self._segmenter = LazyLoader(open_segmenter, self.is_stopping, diarization_opening.DOES)
        hearing = HearingEngine(engine, self._speech, at_start=config.speech)
        diarizing = DiarizingEngine(hearing, self._segmenter, self._speech)
        desk = GalleryDesk(config, self._outbox)
        self._pipeline = Pipeline(self._scheduler, diarizing, desk, self._outbox, self)
        for loader in (self._speech, self._segmenter):
            loader.on_change = self._pipeline.look_again
        self._status: Status
        self._reader: FrameReader
        self._host_watch: HostWatch | None = None
        self._exit: Exit | None = None
        self._exit_or_deadline = threading.Condition()
        self._has_new_deadline = False
        self._stop_reason: str | None = None
        self._ticked_at = time.perf_counter()

    def run(self) -> int:
        """Serve until the end; the exit code."""
        self._writer.start()
        # They import psutil, and this module imports nothing native.
        from sidecar.requests.dispatcher import Dispatcher  # noqa: PLC0415
        from sidecar.requests.status import Status  # noqa: PLC0415
        from sidecar.wire.host_watch import HostWatch  # noqa: PLC0415

        if self._config.parent_pid is not None:
            self._host_watch = HostWatch(self._config.parent_pid)
        self._status = Status(self._scheduler, self._pipeline.meter, self._outbox.outcomes)
        dispatcher = Dispatcher(
            self._pipeline, self._outbox, self._status, self, self._calibrations
        )
        self._reader = FrameReader(
            self._streams,
            self._config.limits.max_frame_bytes,
            dispatcher.dispatch,
            self._input_ended,
            self._before_read,
        )
        self._enter("loading", "importing libraries")
        self._pipeline.start()
        self._reader.start()
        return self._end(self._wait_for_exit())

    def request_stop(self, reason: str) -> None:
        """End as at the input's end, at the next tick. Safe to call in a signal handler."""
        self._stop_reason = reason

    # What the pipeline tells: see ``Lifecycle``

    def is_stopping(self) -> bool:
        """See ``Lifecycle``."""
        is_ending = self._exit is not None and not self._exit.drains_queue
        return self._outbox.is_closed or is_ending

    def libraries_imported(self) -> None:
        """See ``Lifecycle``."""
        # On Windows importing numpy hangs while another thread waits on a piped standard input.
        self._reader.may_wait.set()
        self._status.mark("imported_ms")
        self._status.reason = "loading the model"

    def loading(self, progress: Progress) -> None:
        """See ``Lifecycle``."""
        with self._pipeline.lock:
            self._outbox.notify(progress)

    def serving(self, encoder: Encoder) -> None:
        """See ``Lifecycle``."""
        model, device, degraded = encoder.model, encoder.device, encoder.degraded
        assert model.fingerprint is not None
        assert device.selected is not None
        self._calibrations.require(model.fingerprint)
        with self._pipeline.lock:
            self._status.mark("ready_ms")
            self._status.model, self._status.device = model, device
            self._status.peak_reserved_bytes = encoder.peak_reserved_bytes
            self._outbox.served = Served(
                model=model.id,
                fingerprint=model.fingerprint,
                dim=model.embedding_dim,
                device=device.selected,
                sample_rate_hz=model.sample_rate_hz,
                calibration=self._calibrations.of(model.fingerprint),
            )
            if self._exit is None:
                self._enter("degraded" if degraded else "ready", degraded or device.reason)

    def failed(self, error: SidecarError) -> None:
        """See ``Lifecycle``."""
        is_loading = self._outbox.served is None
        if is_loading and self.is_stopping():
            return  # the load was stopped, and says so
        unavailable = is_loading and not isinstance(error, InternalError)
        code = EXIT_UNAVAILABLE if unavailable else EXIT_SOFTWARE
        self._exit_with(exit_for_fault(code, error))

    # What the dispatcher asks: see ``Lifecycle``

    def shut_down(self, request_id: RequestId, params: ShutdownParams) -> None:
        """See ``Lifecycle``."""
        if self._exit is not None:
            raise InvalidRequest("the shutdown is under way already", kind="shutting_down")
        answered = self._outbox.job_outcomes.copy()
        self._exit_with(exit_by_shutdown(request_id, params.drain_ms, answered))

    def answers_last(self, request_id: RequestId) -> bool:
        """See ``Lifecycle``."""
        return self._exit is not None and self._exit.shutdown_id == request_id

    def wake_for_deadline(self) -> None:
        """See ``Lifecycle``."""
        with self._exit_or_deadline:
            self._has_new_deadline = True
            self._exit_or_deadline.notify_all()

    # On the reader's thread

    def _before_read(self) -> None:
        # Only the reader's thread may ask the pipe: on Windows a question waits for a pending read.
        while not self._writer.wait_for_room(_TICK_S):
            if self._streams.input_hung_up():
                self._exit_now(EXIT_OK, "the host hung up while its input was not being read")

    def _input_ended(self, error: Exception | None, n_pending_bytes: int) -> None:
        if error is None:
            cut = f", {n_pending_bytes} bytes into a frame" if n_pending_bytes else ""
            self._exit_now(EXIT_OK, f"the input ended{cut}")
        elif isinstance(error, FramingError):
            with self._pipeline.lock:
                if not self._outbox.is_closed:
                    self._outbox.send_error(None, error)
            self._exit_with(exit_at_once(EXIT_PROTOCOL, error.message, error))
        else:
            _log.error("dispatch failed", exc_info=error)
            self.failed(InternalError(f"dispatch failed: {type(error).__name__}: {error}"))

    # Exits

    def _output_lost(self, error: Exception) -> None:
        self._exit_now(EXIT_IO, f"the output is lost: {error}")

    def _exit_now(self, code: int, reason: str) -> None:
        self._exit_with(exit_at_once(code, reason))

    def _exit_with(self, chosen: Exit) -> None:
        with self._pipeline.lock, self._exit_or_deadline:
            if self._exit is not None:
                if not self._exit.drains_queue:
                    return
                # A shutdown is cut short, but still answered.
                chosen = replace(
                    chosen,
                    shutdown_id=self._exit.shutdown_id,
                    answered_before=self._exit.answered_before,
                )
            self._exit = chosen
            self._pipeline.drain()
            self._exit_or_deadline.notify_all()

    # The main thread

    def _wait_for_exit(self) -> Exit:
        while True:
            self._tick()
            timeout_s = self._seconds_to_next_tick()
            with self._exit_or_deadline:
                if self._exit is not None:
                    return self._exit
                # One that came since the time was computed would be missed.
                if not self._has_new_deadline:
                    self._exit_or_deadline.wait(timeout_s)
                self._has_new_deadline = False

    def _seconds_to_next_tick(self) -> float:
        with self._pipeline.lock:
            deadline_at = self._scheduler.next_deadline()
        if deadline_at is None:
            return _TICK_S
        return min(_TICK_S, max(0.001, deadline_at - time.perf_counter()))

    def _tick(self) -> None:
        try:
            self._look_after()
        except Exception as error:  # noqa: BLE001 - whatever it is, all that is in flight is answered
            _log.exception("the main thread failed")
            self.failed(InternalError(f"{type(error).__name__}: {error}"))

    def _look_after(self) -> None:
        now = time.perf_counter()
        since_last_s, self._ticked_at = now - self._ticked_at, now
        if since_last_s > _ASLEEP_S:
            self._pipeline.slept(since_last_s)
        self._pipeline.tick()
        meter = self._pipeline.meter
        call_started_at = meter.call_started_at
        call_timeout_s = max(DEVICE_CALL_TIMEOUT_S, _DEVICE_CALL_TIMES_AUDIO * meter.call_padded_s)
        if self._stop_reason is not None:
            self._exit_now(EXIT_OK, self._stop_reason)
        elif self._host_watch is not None and self._host_watch.is_gone():
            self._exit_now(EXIT_OK, f"the parent process {self._config.parent_pid} is gone")
        elif call_started_at and time.perf_counter() - call_started_at > call_timeout_s:
            message = f"the device did not return within {call_timeout_s:.0f} s"
            self.failed(DeviceError(message, kind="device_hangs"))

    def _end(self, chosen: Exit) -> int:
        log = _log.warning if chosen.code else _log.info
        log("ending with code %d: %s", chosen.code, chosen.reason)
        self._enter("failed" if chosen.code else "draining", chosen.reason, chosen.fault)
        last = self._finish_work()
        if last is not chosen:
            _log.warning("ending with code %d instead: %s", last.code, last.reason)
            if last.code:
                self._enter("failed", last.reason, last.fault)
        stop_by = time.perf_counter() + STOP_S
        self._pipeline.fail_all(last.error)
        # What the gallery is asked just now may be kept or not: it has a moment to tell which.
        self._pipeline.wait_until_idle(STOP_S)
        with self._pipeline.lock:
            self._outbox.close()
            if last.shutdown_id is not None:
                since = self._outbox.job_outcomes - last.answered_before
                cancelled = since["cancelled"]
                result = ShutdownResult(since.total() - cancelled, cancelled)
                self._outbox.send_result(last.shutdown_id, result)
        self._pipeline.stop(max(0.0, stop_by - time.perf_counter()))
        self._speech.join(max(0.0, stop_by - time.perf_counter()))
        self._segmenter.join(max(0.0, stop_by - time.perf_counter()))
        if not self._writer.close(last.flush_s):
            _log.warning("the host did not read all responses in time")
        return last.code

    def _finish_work(self) -> Exit:
        while True:
            chosen = self._exit
            assert chosen is not None
            if not chosen.drains_queue:
                self._pipeline.fail_waiting(chosen.error)
            left_s = chosen.finish_by - time.perf_counter()
            if self._pipeline.wait_until_idle(min(0.05, max(0.0, left_s))) or left_s <= 0:
                return chosen
            self._tick()

    def _enter(self, state: State, reason: str, error: HealthError | None = None) -> None:
        with self._pipeline.lock:
            self._status.state, self._status.reason, self._status.error = state, reason, error
            self._outbox.notify(self._status.health())
