"""The life of one child and the dispatch of its requests: the only place where siblings meet.

The reader's thread dispatches: ``health``, ``metrics``, ``cancel`` and ``shutdown`` are dealt with
there and then, audio goes into the pipeline. The main thread waits for the ending, ticks, and ends.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from protocol.errors import (
    DeviceError,
    FramingError,
    InternalError,
    InvalidRequest,
    SidecarError,
)
from protocol.messages import (
    Ignored,
    Refusal,
    Request,
    decode_from_host,
    encode_error,
    encode_notification,
    encode_result,
)
from protocol.params import (
    Audio,
    CancelParams,
    EmbedBatchParams,
    HealthParams,
    MetricsParams,
    Params,
    RequestId,
    ScoreParams,
    ShutdownParams,
    StoredEmbedding,
)
from protocol.reports import (
    Notification,
    ShutdownResult,
    State,
)
from sidecar.config import (
    EXIT_IO,
    EXIT_OK,
    EXIT_PROTOCOL,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    Config,
)
from sidecar.ending import STOP_S, Ending, at_once, by_shutdown
from sidecar.interface import Backend, Encoder
from sidecar.jobs import Decoded, Job, Outcome
from sidecar.pipeline import Pipeline
from sidecar.responses import Response, Served, respond, score
from sidecar.scheduler import Scheduler
from sidecar.stdio import FrameReader, FrameWriter, Wire

if TYPE_CHECKING:
    from sidecar.host_watch import HostWatch
    from sidecar.status import Status

_log = logging.getLogger(__name__)

DEVICE_CALL_TIMEOUT_S = 60.0
_TICK_S = 0.25
# Between two ticks: then the machine slept, or the whole process did.
_ASLEEP_S = 10.0


class Server:
    """One child, from behind its ``hello`` to its exit code."""

    def __init__(self, config: Config, wire: Wire, backend: Backend) -> None:
        self._config = config
        self._wire = wire
        self._backend = backend
        self._scheduler = Scheduler(config.limits)
        self._pipeline = Pipeline(self._scheduler, self)
        self._writer = FrameWriter(wire, self._output_lost)
        self._reader = FrameReader(
            wire,
            config.limits.max_frame_bytes,
            self._on_payload,
            self._input_ended,
            self._before_read,
        )
        self._status: Status
        self._host_watch: HostWatch | None = None
        self._encoder: Encoder | None = None
        self._served: Served | None = None
        self._natives_imported = threading.Event()
        self._jobs_answered: Counter[str] = Counter()
        self._ending: Ending | None = None
        self._ending_or_deadline = threading.Condition()
        self._has_new_deadline = False
        self._stop_reason: str | None = None
        self._ticked_at = time.monotonic()
        self._is_closed = False

    def run(self) -> int:
        """Serve until the end; the exit code."""
        self._writer.start()
        # They import psutil, and this module imports nothing native.
        from sidecar.host_watch import HostWatch  # noqa: PLC0415
        from sidecar.status import Status  # noqa: PLC0415

        if self._config.parent_pid is not None:
            self._host_watch = HostWatch(self._config.parent_pid)
        self._status = Status(self._scheduler, self._pipeline.meter)
        self._enter("loading", "importing libraries")
        self._pipeline.start()
        self._reader.start()
        ending = self._wait_for_ending()
        return self._end(ending)

    def request_stop(self, reason: str) -> None:
        """End as at the input's end, at the next tick. Safe to call in a signal handler."""
        self._stop_reason = reason

    # Dispatch, on the reader's thread

    def _before_read(self) -> None:
        # Only the reader's thread may ask the pipe: on Windows a question waits for a pending read.
        if sys.platform == "win32":
            # Importing numpy hangs there while another thread waits on a piped standard input.
            while not self._natives_imported.wait(_TICK_S):
                self._look_for_hang_up()
        while not self._writer.wait_for_room(_TICK_S):
            self._look_for_hang_up()

    def _look_for_hang_up(self) -> None:
        if self._wire.input_hung_up():
            self._end_now(EXIT_OK, "the host hung up while its input was not being read")

    def _on_payload(self, payload: bytes, received_at: float) -> None:
        message = decode_from_host(payload)
        with self._pipeline.lock:
            if self._is_closed:
                return
            if isinstance(message, Ignored):
                _log.warning("ignored a notification: %s", message.reason)
            elif isinstance(message, CancelParams):
                self._pipeline.cancel(message.id)
            elif message.id is not None and self._is_in_flight(message.id):
                error = InvalidRequest(
                    f"a request with the id {message.id!r} is in flight: ids must be unique",
                    kind="duplicate_id",
                    request_id=message.id,
                )
                self._answer_error(None, error)
            elif isinstance(message, Refusal):
                self._answer_error(message.id, message.error)
            else:
                self._dispatch(message, len(payload), received_at)

    def _is_in_flight(self, request_id: RequestId) -> bool:
        is_shutdown = self._ending is not None and self._ending.shutdown_id == request_id
        return is_shutdown or self._scheduler.holds(request_id)

    def _dispatch(self, request: Request, n_bytes: int, received_at: float) -> None:
        params = request.params
        try:
            if isinstance(params, HealthParams):
                self._answer_result(request.id, self._status.health())
            elif isinstance(params, MetricsParams):
                self._answer_result(request.id, self._status.metrics())
            elif isinstance(params, ShutdownParams):
                self._shut_down(request.id, params)
            elif isinstance(params, ScoreParams) and not _audios_of(params):
                assert isinstance(params.a, StoredEmbedding)
                assert isinstance(params.b, StoredEmbedding)
                self._answer_result(request.id, score(params.a, params.b))
            else:
                job = Job(request.id, params, n_bytes, received_at)
                deadline_ms = getattr(params, "deadline_ms", None)
                if deadline_ms is not None:
                    job.deadline_at = received_at + deadline_ms / 1000
                self._pipeline.admit(job, _audios_of(params), self._status.retry_after_ms())
                if deadline_ms is not None:
                    self._wake_main()
        except SidecarError as error:
            self._answer_error(request.id, error)

    def _shut_down(self, request_id: RequestId, params: ShutdownParams) -> None:
        if self._ending is not None:
            raise InvalidRequest("the shutdown is under way already", kind="shutting_down")
        self._end_with(by_shutdown(request_id, params.drain_ms, self._jobs_answered.copy()))

    # What the pipeline runs

    def load(self, allow_decoding: Callable[[], None]) -> None:
        """See ``Stages.load``."""
        self._backend.import_natives()
        self._natives_imported.set()
        self._status.mark("imported_ms")
        self._status.reason = "loading the model"
        allow_decoding()
        self._encoder = self._backend.open(self._tell, lambda: self._is_stopping)

    def loaded(self) -> None:
        """See ``Stages.loaded``."""
        assert self._encoder is not None
        model, device, degraded = (
            self._encoder.model,
            self._encoder.device,
            self._encoder.degraded,
        )
        assert model.fingerprint is not None
        assert device.selected is not None
        with self._pipeline.lock:
            self._status.mark("ready_ms")
            self._status.model, self._status.device = model, device
            self._status.peak_reserved_bytes = self._encoder.peak_reserved_bytes
            self._scheduler.batch_limits = self._encoder.batch_limits
            self._served = Served(
                model=model.id,
                fingerprint=model.fingerprint,
                dim=model.embedding_dim,
                device=device.selected,
                sample_rate_hz=model.sample_rate_hz,
            )
            if self._ending is None:
                self._enter("degraded" if degraded else "ready", degraded or device.reason)

    def decode(self, audio: object, params: object) -> Sequence[Decoded]:
        """See ``Stages.decode``."""
        return self._backend.decode(audio, params)  # type: ignore[arg-type]

    def embed(self, waveforms: Sequence[object]) -> Sequence[Outcome]:
        """See ``Stages.embed``."""
        assert self._encoder is not None
        return self._encoder.embed(waveforms)

    def answer(self, job: Job) -> None:
        """See ``Stages.answer``."""
        try:
            response = respond(job, self._served)
        except Exception:  # noqa: BLE001 - the job is out of the scheduler: only this answers it
            _log.exception("a response could not be made")
            error = InternalError("making this response failed inside; the log has the cause")
            response = Response(encode_error(job.id, error), error.kind)
        self._status.outcomes[response.outcome] += 1
        self._jobs_answered[response.outcome] += 1
        self._writer.send(response.payload)

    def failed(self, error: SidecarError) -> None:
        """See ``Stages.failed``."""
        is_loading = self._served is None
        if is_loading and self._is_stopping:
            return  # the load was stopped, and says so
        unavailable = is_loading and not isinstance(error, InternalError)
        self._end_with(
            Ending(
                exit_code=EXIT_UNAVAILABLE if unavailable else EXIT_SOFTWARE,
                reason=error.message,
                error=error,
                finish_by=time.monotonic(),
            )
        )

    # Endings

    def _input_ended(self, error: Exception | None, n_pending_bytes: int) -> None:
        if error is None:
            cut = f", {n_pending_bytes} bytes into a frame" if n_pending_bytes else ""
            self._end_now(EXIT_OK, f"the input ended{cut}")
        elif isinstance(error, FramingError):
            with self._pipeline.lock:
                if not self._is_closed:
                    self._answer_error(None, error)
            self._end_now(EXIT_PROTOCOL, error.message)
        else:
            _log.error("dispatch failed", exc_info=error)
            self.failed(InternalError(f"dispatch failed: {type(error).__name__}: {error}"))

    def _output_lost(self, error: Exception) -> None:
        self._end_now(EXIT_IO, f"the output is lost: {error}")

    def _end_now(self, exit_code: int, reason: str) -> None:
        self._end_with(at_once(exit_code, reason))

    def _end_with(self, ending: Ending) -> None:
        with self._pipeline.lock, self._ending_or_deadline:
            if self._ending is not None:
                if not self._ending.drains_queue:
                    return
                # A shutdown is cut short, but still answered.
                ending = replace(
                    ending,
                    shutdown_id=self._ending.shutdown_id,
                    answered_before=self._ending.answered_before,
                )
            self._ending = ending
            self._pipeline.drain()
            self._ending_or_deadline.notify_all()

    @property
    def _is_stopping(self) -> bool:
        return self._is_closed or (self._ending is not None and not self._ending.drains_queue)

    def _wake_main(self) -> None:
        with self._ending_or_deadline:
            self._has_new_deadline = True
            self._ending_or_deadline.notify_all()

    # The main thread

    def _wait_for_ending(self) -> Ending:
        while True:
            self._tick()
            timeout_s = self._seconds_to_next_tick()
            with self._ending_or_deadline:
                if self._ending is not None:
                    return self._ending
                # One that came since the time was computed would be missed.
                if not self._has_new_deadline:
                    self._ending_or_deadline.wait(timeout_s)
                self._has_new_deadline = False

    def _seconds_to_next_tick(self) -> float:
        with self._pipeline.lock:
            deadline_at = self._scheduler.next_deadline()
        if deadline_at is None:
            return _TICK_S
        return min(_TICK_S, max(0.001, deadline_at - time.monotonic()))

    def _tick(self) -> None:
        try:
            self._look_after()
        except Exception as error:  # noqa: BLE001 - whatever it is, all that is in flight is answered
            _log.exception("the main thread failed")
            self.failed(InternalError(f"{type(error).__name__}: {error}"))

    def _look_after(self) -> None:
        now = time.monotonic()
        since_last_s, self._ticked_at = now - self._ticked_at, now
        if since_last_s > _ASLEEP_S:
            self._pipeline.slept(since_last_s)
        self._pipeline.tick()
        call_started_at = self._pipeline.meter.call_started_at
        if self._stop_reason is not None:
            self._end_now(EXIT_OK, self._stop_reason)
        elif self._host_watch is not None and self._host_watch.is_gone():
            self._end_now(EXIT_OK, f"the parent process {self._config.parent_pid} is gone")
        elif call_started_at and time.monotonic() - call_started_at > DEVICE_CALL_TIMEOUT_S:
            message = f"the device did not return within {DEVICE_CALL_TIMEOUT_S:.0f} s"
            self.failed(DeviceError(message, kind="device_hangs"))

    def _end(self, ending: Ending) -> int:
        log = _log.warning if ending.exit_code else _log.info
        log("ending with code %d: %s", ending.exit_code, ending.reason)
        with self._pipeline.lock:
            self._enter("failed" if ending.exit_code else "draining", ending.reason)
        asked_for, ending = ending, self._finish_work()
        if ending is not asked_for:
            _log.warning("ending with code %d instead: %s", ending.exit_code, ending.reason)
            if ending.exit_code:
                with self._pipeline.lock:
                    self._enter("failed", ending.reason)
        self._pipeline.fail_all(ending.error)
        with self._pipeline.lock:
            self._is_closed = True
            if ending.shutdown_id is not None:
                since = self._jobs_answered - ending.answered_before
                cancelled = since["cancelled"]
                result = ShutdownResult(since.total() - cancelled, cancelled)
                self._writer.send(encode_result(ending.shutdown_id, result))
        self._pipeline.stop(STOP_S)
        if not self._writer.close(ending.flush_s):
            _log.warning("the host did not read all responses in time")
        return ending.exit_code

    def _finish_work(self) -> Ending:
        while True:
            ending = self._ending
            assert ending is not None
            if not ending.drains_queue:
                self._pipeline.fail_waiting(ending.error)
            left_s = ending.finish_by - time.monotonic()
            if self._pipeline.wait_until_idle(min(0.05, max(0.0, left_s))) or left_s <= 0:
                return ending
            self._tick()

    # Sending

    def _enter(self, state: State, reason: str) -> None:
        self._status.state, self._status.reason = state, reason
        self._tell(self._status.health())

    def _tell(self, notification: Notification) -> None:
        with self._pipeline.lock:
            # The model may still load: nothing of it follows the response of a shutdown.
            if not self._is_closed:
                self._writer.send(encode_notification(notification))

    def _answer_result(self, request_id: RequestId, result: object) -> None:
        self._status.outcomes["ok"] += 1
        self._writer.send(encode_result(request_id, result))

    def _answer_error(self, request_id: RequestId | None, error: SidecarError) -> None:
        self._status.outcomes[error.kind] += 1
        self._writer.send(encode_error(request_id, error))


def _audios_of(params: Params) -> list[Audio]:
    if isinstance(params, EmbedBatchParams):
        return list(params.items)
    if isinstance(params, ScoreParams):
        return [v for v in (params.a, params.b) if not isinstance(v, StoredEmbedding)]
    return [params.audio] if hasattr(params, "audio") else []
