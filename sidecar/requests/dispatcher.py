"""From a payload to what is done about it: answered there and then, or admitted to the pipeline."""

from __future__ import annotations

import logging

from protocol.errors import InvalidRequest, SidecarError
from protocol.messages import Ignored, Refusal, Request, decode_from_host
from protocol.methods import audios_of
from protocol.params import (
    CancelParams,
    HealthParams,
    MetricsParams,
    RequestId,
    ScoreParams,
    ShutdownParams,
    StoredEmbedding,
)
from protocol.streams import StreamCloseParams, StreamOpenParams, StreamPushParams
from sidecar.requests.jobs import Job
from sidecar.requests.lifecycle import Lifecycle
from sidecar.requests.outbox import Outbox
from sidecar.requests.pipeline import Pipeline
from sidecar.requests.scoring import Calibrations, score
from sidecar.requests.status import Status
from sidecar.scores.decision import OperatingPoint

_log = logging.getLogger(__name__)


class Dispatcher:
    """Takes each payload in turn; called by the reader's thread alone."""

    def __init__(
        self,
        pipeline: Pipeline,
        outbox: Outbox,
        status: Status,
        lifecycle: Lifecycle,
        calibrations: Calibrations,
    ) -> None:
        self._pipeline = pipeline
        self._outbox = outbox
        self._status = status
        self._lifecycle = lifecycle
        self._calibrations = calibrations

    def dispatch(self, payload: bytes, received_at: float) -> None:
        """Do what ``payload``, whole since ``received_at``, asks for; never raises for its sake."""
        message = decode_from_host(payload)
        with self._pipeline.lock:
            if self._outbox.is_closed:
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
                self._outbox.send_error(None, error)
            elif isinstance(message, Refusal):
                self._outbox.send_error(message.id, message.error)
            else:
                self._take(message, len(payload), received_at)

    def _is_in_flight(self, request_id: RequestId) -> bool:
        return self._lifecycle.answers_last(request_id) or self._pipeline.holds(request_id)

    def _take(self, request: Request, n_bytes: int, received_at: float) -> None:
        params = request.params
        try:
            if isinstance(params, HealthParams):
                self._outbox.send_result(request.id, self._status.health())
            elif isinstance(params, MetricsParams):
                self._outbox.send_result(request.id, self._status.metrics())
            elif isinstance(params, ShutdownParams):
                self._lifecycle.shut_down(request.id, params)
            elif (
                isinstance(params, ScoreParams)
                and isinstance(params.a, StoredEmbedding)
                and isinstance(params.b, StoredEmbedding)
            ):
                calibration = self._calibrations.of(params.a.fingerprint)
                point = OperatingPoint(params.far, params.prior)
                result = score(params.a, params.b, point, calibration)
                self._outbox.send_result(request.id, result)
            elif isinstance(params, StreamOpenParams):
                self._outbox.send_result(request.id, self._pipeline.streams.open(params))
            elif isinstance(params, StreamPushParams):
                self._outbox.send_result(request.id, self._pipeline.streams.push(params))
                self._pipeline.look_again()
            elif isinstance(params, StreamCloseParams):
                job = self._pipeline.streams.close(request.id, params, n_bytes, received_at)
                self._pipeline.look_again()
                self._wake_for_deadline(job)
            else:
                job = Job(request.id, params, n_bytes, received_at)
                deadline_ms = getattr(params, "deadline_ms", None)
                if deadline_ms is not None:
                    job.deadline_at = received_at + deadline_ms / 1000
                self._pipeline.admit(job, audios_of(params), self._status.retry_after_ms())
                self._wake_for_deadline(job)
        except SidecarError as error:
            self._outbox.send_error(request.id, error)

    def _wake_for_deadline(self, job: Job) -> None:
        if job.deadline_at is not None:
            self._lifecycle.wake_for_deadline()
