"""Streams with a scheduler, whose work is done when a test says so."""

from __future__ import annotations

from protocol.diarization import DiarizeResult
from protocol.streams import StreamOpenParams, StreamPushParams, StreamTurn
from sidecar.audio.waveform import Decoded
from sidecar.requests.jobs import Lane, StreamAnswer
from sidecar.requests.open_streams import OpenStreams
from sidecar.requests.questions import Desk
from sidecar.requests.scheduler import Scheduler

RATE_HZ = 8_000
OPENING = StreamOpenParams(RATE_HZ, "s16le")


class FakeOutbox:
    served = None

    def __init__(self):
        self.told = []

    def notify(self, notification):
        self.told.append(notification)


class PlayedStreams:
    """``finished`` are the jobs, in the order in which they were."""

    def __init__(self, limits, outbox=None):
        self.scheduler, self.outbox = Scheduler(limits), outbox or FakeOutbox()
        self.streams = OpenStreams(self.scheduler, self.outbox, lambda: 0.0)
        self.finished = []

    def open(self, params=OPENING):
        return self.streams.open(params).stream

    def push(self, name, seconds, value=0):
        n_samples = round(seconds * RATE_HZ)
        pcm = value.to_bytes(2, "little", signed=True) * n_samples
        return self.streams.push(StreamPushParams(name, pcm))

    def next_step(self):
        """The audio that is heard next; None: there is none."""
        return self.scheduler.next_undecoded(Lane.STREAMS, 0.0)

    def heard(self, source):
        """It has no voices; the question is asked, and answered."""
        self.answer(self.scheduler.decoded(source, [Decoded(None, is_last=True)], 0.0))
        desk = Desk.LOOKUPS if source.job.params.ending is None else Desk.STREAMS
        job, late = self.scheduler.next_question(desk, 0.0)
        assert late == []
        assert job is source.job
        self.answer(self.scheduler.answered(job, answer_to(job)))

    def answer(self, jobs):
        """As the pipeline does."""
        waiting = list(jobs)
        while waiting:
            job = waiting.pop(0)
            waiting += self.streams.finished(job, job.params)
            self.finished.append(job)


def answer_to(job):
    """A turn, and of a close the result."""
    turn = StreamTurn(job.params.stream.name, 0, 0.0, None, final=False)
    is_end = job.params.ending is not None
    return StreamAnswer((turn,), DiarizeResult((), (), 4, "m", "f", 0.0) if is_end else None)
