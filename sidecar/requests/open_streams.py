"""The streams that are open: what was pushed into each, and its next step."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.errors import Draining, InvalidParams, Overloaded, SidecarError, UnknownStream
from protocol.params import PcmAudio, RequestId
from protocol.streams import (
    StreamCloseParams,
    StreamOpened,
    StreamOpenParams,
    StreamPushed,
    StreamPushParams,
)
from sidecar.diarization.hop import HOP_S
from sidecar.diarization.streaming import HeardStream, StreamStep
from sidecar.requests.jobs import Job, StreamAnswer
from sidecar.requests.known_speakers import check_known
from sidecar.requests.outbox import Outbox
from sidecar.requests.scheduler import Scheduler

# Of one stream, whatever its rate and its channels.
_MOST_BUFFERED_BYTES = 16 * 2**20
# What is heard in one step: a stream that has fallen behind lets others have their turn.
_MOST_STEP_S = 2.0


@dataclass(eq=False, slots=True)
class _Stream:
    """``heard`` is what is known of it; ``pending`` was pushed, ``in_step`` is being heard."""

    heard: HeardStream
    number: int
    pending: bytearray = field(default_factory=bytearray)
    in_step_bytes: int = 0
    received_bytes: int = 0
    step: Job | None = None
    close: Job | None = None
    error: SidecarError | None = None

    @property
    def rate_hz(self) -> int:
        return self.heard.params.sample_rate_hz

    @property
    def buffered_bytes(self) -> int:
        return len(self.pending) + self.in_step_bytes

    def seconds(self, n_bytes: int) -> float:
        """Of so many bytes."""
        return n_bytes / self.heard.pcm.frame_bytes / self.rate_hz

    def take(self, most_s: float | None = None) -> PcmAudio:
        """What was pushed, as far as ``most_s`` seconds; it is being heard now."""
        pending, frame_bytes = self.pending, self.heard.pcm.frame_bytes
        n_bytes = len(pending)
        if most_s is not None:
            n_bytes = min(n_bytes, round(most_s * self.rate_hz) * frame_bytes)
        pcm = bytes(pending[:n_bytes])
        del pending[:n_bytes]
        self.in_step_bytes += n_bytes
        params = self.heard.params
        return PcmAudio(pcm, params.encoding, params.sample_rate_hz, params.channels)


class OpenStreams:
    """Makes jobs of what is pushed; every method is called under the pipeline's lock.

    A stream has one step in flight at a time. Its last one is the request to close it.

    Args:
        scheduler: takes the jobs, within its limits.
        outbox: tells what came of them.
        clock: gives seconds, such as ``time.perf_counter``.
    """

    def __init__(self, scheduler: Scheduler, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._limits = scheduler.limits
        self._scheduler = scheduler
        self._outbox = outbox
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, params: StreamOpenParams) -> StreamOpened:
        """Open a stream.

        Raises:
            BadAudio: such audio is not taken.
            Draining: no more work is taken.
            IncompatibleEmbeddings: who is known was embedded by another model.
            Overloaded: too many are open.
        """
        # It imports numpy, which by now is imported anyway, or soon.
        from sidecar.audio.pushed_pcm import PushedPcm  # noqa: PLC0415

        self._check_draining()
        if len(self._streams) >= self._limits.max_streams:
            raise Overloaded(
                f"{len(self._streams)} streams are open, as many as there may be: close one first",
                max_streams=self._limits.max_streams,
                retry_after_ms=1000,
            )
        pcm = PushedPcm(params.sample_rate_hz, params.encoding, params.channels, params.channel)
        check_known(params.speakers, self._outbox.served)
        number = next(self._numbers)
        # A stream of another child must not be taken for one of this one's.
        name = f"{number}-{os.urandom(4).hex()}"
        self._streams[name] = _Stream(HeardStream(name, params, pcm), number)
        return StreamOpened(name)

    def push(self, params: StreamPushParams) -> StreamPushed:
        """Take what comes next.

        Raises:
            BadAudio: it cannot be used; nothing of it is taken.
            Draining: no more work is taken.
            InvalidParams: it is more than may ever wait; nothing of it is taken.
            Overloaded: too much waits already; nothing of it is taken.
            UnknownStream: there is no such stream.
            SidecarError: why the stream could not be heard on; it is gone.
        """
        stream = self._find(params.stream)
        self._check_draining()
        pcm = stream.heard.pcm
        pcm.check(params.pcm, stream.received_bytes // pcm.frame_bytes)
        most_s = self._limits.max_stream_buffer_s
        if len(params.pcm) > _MOST_BUFFERED_BYTES or stream.seconds(len(params.pcm)) > most_s:
            raise InvalidParams(
                f"a push of {stream.seconds(len(params.pcm)):.1f} s ({len(params.pcm)} bytes) is "
                f"too long for any moment: push {most_s:g} s at most, or {_MOST_BUFFERED_BYTES} "
                "bytes, such as a tenth of a second at a time",
                kind="push_too_large",
                max_stream_buffer_s=most_s,
            )
        n_bytes = stream.buffered_bytes + len(params.pcm)
        if n_bytes > _MOST_BUFFERED_BYTES or stream.seconds(n_bytes) > most_s:
            buffered_s = stream.seconds(stream.buffered_bytes)
            # So that there will be room, also where so much is less than a hop.
            self._step(stream, least_s=0.0)
            raise Overloaded(
                f"{buffered_s:.1f} s of this stream wait to be heard; with this push it would be "
                f"{stream.seconds(n_bytes):.1f} s ({n_bytes} bytes), over the limit of "
                f"{most_s:g} s, or {_MOST_BUFFERED_BYTES} bytes: wait, and push it again",
                buffered_s=buffered_s,
                max_stream_buffer_s=most_s,
                retry_after_ms=500,
            )
        stream.pending += params.pcm
        stream.received_bytes += len(params.pcm)
        self._step(stream)
        return StreamPushed(
            stream.seconds(stream.received_bytes), stream.seconds(stream.buffered_bytes)
        )

    def close(
        self, request_id: RequestId, params: StreamCloseParams, n_bytes: int, received_at: float
    ) -> Job:
        """Admit the request to close a stream: it has what is not heard yet.

        Raises:
            Draining: no more work is taken; the stream stays open.
            UnknownStream: there is no such stream.
            SidecarError: why the stream could not be heard on; it is gone.
        """
        stream = self._find(params.stream)
        self._check_draining()
        job = Job(request_id, StreamStep(stream.heard, params), n_bytes, received_at)
        if params.deadline_ms is not None:
            job.deadline_at = received_at + params.deadline_ms / 1000
        self._scheduler.admit(job, [stream.take()], until=lambda: stream.step is None)
        stream.close = job
        return job

    def finished(self, job: Job, step: StreamStep) -> list[Job]:
        """``job`` is done: tell what came of it. The jobs that are finished by that."""
        stream = self._streams.get(step.stream.name)
        if stream is None:  # its close was given up meanwhile
            return []
        if isinstance(job.answer, StreamAnswer):
            for notification in job.answer.told:
                self._outbox.notify(notification)
        if step.ending is not None:
            del self._streams[step.stream.name]
            return []
        stream.step, stream.in_step_bytes = None, 0
        stream.error = job.fault
        self._scheduler.look_again()
        if stream.error is None:
            self._step(stream)
            return []
        if stream.close is None:
            return []
        [source] = stream.close.sources
        return self._scheduler.failed(source, stream.error)

    def _step(self, stream: _Stream, least_s: float = HOP_S) -> None:
        """Hear on, if there is so much that it is worth it, and nobody does it."""
        pending = len(stream.pending)
        is_worth_it = pending > 0 and stream.seconds(pending) >= least_s
        if stream.step is None and stream.close is None and is_worth_it:
            if self._scheduler.is_draining:
                return
            stream.step = Job(-stream.number, StreamStep(stream.heard), 0, self._clock())
            self._scheduler.admit(stream.step, [stream.take(_MOST_STEP_S)])

    def _find(self, name: str) -> _Stream:
        stream = self._streams.get(name)
        if stream is None or stream.close is not None:
            raise UnknownStream(f"no stream {name!r:.80} is open")
        if stream.error is not None:
            del self._streams[name]
            try:
                raise stream.error
            finally:
                # The error's traceback holds this frame: in a cycle, the stream would stay.
                del stream
        return stream

    def _check_draining(self) -> None:
        if self._scheduler.is_draining:
            raise Draining("shutting down: open a stream in the next process")
