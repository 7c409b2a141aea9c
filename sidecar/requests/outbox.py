"""All that is said to the host after ``hello``: responses, each counted, and notifications."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TypeAlias

from protocol.errors import InternalError, SidecarError
from protocol.messages import Notification, encode_error, encode_notification, encode_result
from protocol.params import RequestId
from protocol.reports import Health, Metrics, ScoreResult, ShutdownResult
from protocol.streams import StreamOpened, StreamPushed
from sidecar.requests.jobs import Job
from sidecar.requests.responses import Response, Served, respond
from sidecar.wire.writer import FrameWriter

_log = logging.getLogger(__name__)

# What is answered without the pipeline.
Answer: TypeAlias = Health | Metrics | ScoreResult | ShutdownResult | StreamOpened | StreamPushed


class Outbox:
    """Hands payloads to ``writer``; call it under the pipeline's lock.

    Attributes:
        served: by what embeddings are made; None while the model still loads.
        outcomes: how many requests came out how: ``ok``, or the kind of their error.
        job_outcomes: the same, of those alone that went through the pipeline.
        is_closed: nothing more is dispatched, answered or told; a shutdown's answer is the last
            frame.
    """

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer
        self.served: Served | None = None
        self.outcomes: Counter[str] = Counter()
        self.job_outcomes: Counter[str] = Counter()
        self.is_closed = False

    def finish(self, job: Job) -> None:
        """Answer ``job``, all of whose items are done; not once it is closed."""
        if self.is_closed:
            return
        try:
            response = respond(job, self.served)
        except Exception:  # noqa: BLE001 - the job is out of the scheduler: only this answers it
            _log.exception("a response could not be made")
            error = InternalError("making this response failed inside; the log has the cause")
            response = Response(encode_error(job.id, error), error.kind)
        self.job_outcomes[response.outcome] += 1
        self._answer(response)

    def send_result(self, request_id: RequestId, result: Answer) -> None:
        """Answer a request that needed no pipeline."""
        self._answer(Response(encode_result(request_id, result), "ok"))

    def send_error(self, request_id: RequestId | None, error: SidecarError) -> None:
        """Refuse a request; None: it is not known which."""
        self._answer(Response(encode_error(request_id, error), error.kind))

    def notify(self, notification: Notification) -> None:
        """Tell something unasked."""
        if not self.is_closed:
            self._writer.send(encode_notification(notification))

    def close(self) -> None:
        """Tell nothing more: the model may still load, and tell of it."""
        self.is_closed = True

    def _answer(self, response: Response) -> None:
        self.outcomes[response.outcome] += 1
        self._writer.send(response.payload)
