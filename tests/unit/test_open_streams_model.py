"""Open streams against a model of them: whatever is done to them, and becomes of it, in any order.

Each request is answered exactly once, every byte is heard once and in order, nothing is told of a
stream whose close was answered, and what waits is what is told and never more than may.
``STREAM_EXAMPLES`` chooses how many interleavings.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from mutations import number_from
from unit.decoded_audio import steps_of
from unit.modelled_stream import ModelStream, sound
from unit.played_streams import RATE_HZ, PlayedStreams, answer_to
from unit.scheduling import LIMITS

from protocol.errors import (
    BadAudio,
    Cancelled,
    DeviceError,
    Draining,
    InternalError,
    InvalidParams,
    OutOfMemory,
    Overloaded,
    UnknownStream,
)
from protocol.streams import StreamCloseParams, StreamOpenParams, StreamPushParams
from sidecar.audio.waveform import Decoded
from sidecar.diarization.hop import HOP_S
from sidecar.requests.jobs import Stage
from sidecar.requests.questions import Desk

MOST_STREAMS = 3
# Of the wide ones 16 MiB are less than 30 s.
CHANNELS = st.sampled_from([1, 64])
SECONDS = st.one_of(
    st.sampled_from(
        [0, 1 / RATE_HZ, 0.2, 0.24, 0.25, 0.26, 1, 2, 2.25, 5, 10, 14, 29.75, 30, 30.1]
    ),
    st.integers(0, 3 * RATE_HZ).map(lambda n_frames: n_frames / RATE_HZ),
)


class Outbox:
    """Refuses to tell of a stream that is gone."""

    served = None

    def __init__(self):
        self.gone = set()

    def notify(self, told):
        assert told.stream not in self.gone, "told after the answer to its close"


class AnyOrder(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.outbox = Outbox()
        self.played = PlayedStreams(replace(LIMITS, max_streams=MOST_STREAMS), self.outbox)
        self.scheduler = self.played.scheduler
        self.open, self.gone = {}, []
        self.decoding, self.running, self.asking = [], [], []
        self.now, self.next_id = 0.0, 0
        self.asked, self.n_noted = set(), 0
        self.answered = []
        self.is_draining = False

    # What hosts do

    @rule(channels=CHANNELS)
    def opens(self, channels):
        params = StreamOpenParams(RATE_HZ, "s16le", channels)
        if self.is_draining:
            with pytest.raises(Draining):
                self.played.open(params)
        elif len(self.open) == MOST_STREAMS:
            with pytest.raises(Overloaded):
                self.played.open(params)
        else:
            name = self.played.open(params)
            assert name not in self.open
            assert name not in self.gone
            self.open[name] = ModelStream(name, 2 * channels)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=SECONDS)
    def pushes(self, data, seconds):
        self.push(self.any_of(data), seconds)

    def push(self, stream, seconds):
        n_bytes = round(seconds * RATE_HZ) * stream.frame_bytes
        params = StreamPushParams(stream.name, sound(stream.pushed, n_bytes))
        if self.refuses(stream, lambda: self.played.streams.push(params)):
            return
        buffered = stream.pushed - stream.heard
        if stream.is_too_much(n_bytes):
            with pytest.raises(InvalidParams):
                self.played.streams.push(params)
        elif stream.is_too_much(buffered + n_bytes):
            with pytest.raises(Overloaded) as refusal:
                self.played.streams.push(params)
            assert refusal.value.details["buffered_s"] == stream.seconds(buffered)
            stream.step(0.0)
        else:
            told = self.played.streams.push(params)
            stream.pushed += n_bytes
            stream.step()
            assert told.received_s == stream.seconds(stream.pushed)
            assert told.buffered_s == stream.seconds(stream.pushed - stream.heard)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.sampled_from([0.5, 4, 5]))
    def pushes_much(self, data, seconds):
        stream = self.any_of(data)
        for _ in range(7):
            if self.open.get(stream.name) is stream:
                self.push(stream, seconds)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), wait=st.none() | st.integers(0, 4))
    def closes(self, data, wait):
        self.close(self.any_of(data), wait)

    @precondition(lambda self: any(job.params.ending is None for job in self.in_work()))
    @rule(data=st.data(), fails=st.booleans())
    def closes_while_a_step_is_under_way(self, data, fails):
        """The close is given up then, or the step fails."""
        job = self.popped(data, [job for job in self.in_work() if job.params.ending is None])
        stream = self.open.get(job.params.stream.name)
        if stream is not None and stream.close is None:
            self.close(stream, None)
        if fails and job.question is Stage.WAITING:
            self.answer(self.scheduler.failed(job.sources[0], DeviceError("it hangs")))
        elif stream is not None and stream.close is not None:
            self.answer(self.scheduler.cancel(stream.close))

    def close(self, stream, wait):
        deadline_ms = None if wait is None else 1000 * wait
        params = StreamCloseParams(stream.name, deadline_ms=deadline_ms)
        self.next_id += 1

        def close():
            self.played.streams.close(self.next_id, params, 10, self.now)

        if not self.refuses(stream, close):
            close()
            self.asked.add(self.next_id)
            stream.close = self.next_id
            stream.take(stream.pushed - stream.taken)

    def refuses(self, stream, request):
        """Whether ``request`` is refused as it must be, whatever it is."""
        if stream.close is not None:
            with pytest.raises(UnknownStream):
                request()
        elif stream.error is not None:
            with pytest.raises(type(stream.error)):
                request()
            self.leave(stream)
            with pytest.raises(UnknownStream):
                request()
        elif self.is_draining:
            with pytest.raises(Draining):
                request()
        else:
            return False
        return True

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def asks_for_one_that_is_gone(self, data):
        name = self.gone[data.draw(st.integers(0, len(self.gone) - 1))]
        with pytest.raises(UnknownStream):
            self.played.streams.push(StreamPushParams(name, b""))
        with pytest.raises(UnknownStream):
            self.played.streams.close(0, StreamCloseParams(name), 10, self.now)

    @rule(data=st.data())
    def cancels(self, data):
        request_id = data.draw(st.integers(1, max(1, self.next_id)))
        self.answer(self.scheduler.cancel(request_id))

    # What becomes of it

    @rule()
    def begins(self):
        source = self.played.next_step()
        if source is None:
            ready = [s for s in self.open.values() if s.step_bytes or s.close is not None]
            busy = {job.params.stream.name for job in self.in_work()}
            assert {stream.name for stream in ready} <= busy, "nothing would ever be done"
            return
        name = source.job.params.stream.name
        others = [job for job in self.in_work() if job.params.stream.name == name]
        assert set(others) <= {source.job}, "two steps at a time"
        # A step of one whose close was given up is of no interest to anybody.
        if source.steps is None and name in self.open:
            assert source.audio.pcm == self.open[name].steps.pop(0)
        source.steps = Steps()
        self.decoding.append(source)

    def in_work(self):
        jobs = [source.job for source in self.decoding]
        jobs += [item.job for item in self.running]
        jobs += [item.job for item in self.scheduler._ready]
        jobs += [*self.scheduler._questions, *self.asking]
        return [job for job in jobs if self.scheduler.holds(job.id)]

    @precondition(lambda self: self.decoding)
    @rule(data=st.data(), n_parts=st.integers(0, 2), is_last=st.booleans())
    def hears(self, data, n_parts, is_last):
        source = self.popped(data, self.decoding)
        steps = steps_of(*[100] * n_parts, is_last=False, first=len(source.items))
        steps.append(Decoded(None, is_last=is_last))
        self.answer(self.scheduler.decoded(source, steps, self.now))

    @precondition(lambda self: self.decoding)
    @rule(data=st.data(), error=st.sampled_from([InternalError, DeviceError, OutOfMemory]))
    def cannot_hear(self, data, error):
        source = self.popped(data, self.decoding)
        self.answer(self.scheduler.decoded(source, (), self.now))
        self.answer(self.scheduler.failed(source, error("as the test asked")))

    @precondition(lambda self: self.decoding)
    @rule(data=st.data())
    def hangs(self, data):
        """It is given up while the decoder has it, which comes back later."""
        source = self.decoding[data.draw(st.integers(0, len(self.decoding) - 1))]
        self.answer(self.scheduler.failed(source, DeviceError("it hangs")))

    @precondition(lambda self: not self.running)
    @rule()
    def runs(self):
        self.running, late = self.scheduler.next_batch(self.now)
        self.answer(late)

    @precondition(lambda self: self.running)
    @rule(fits=st.booleans())
    def has_run(self, fits):
        batch, self.running = self.running, []
        outcome = "embedding" if fits else OutOfMemory("as the test asked")
        self.answer(self.scheduler.completed(batch, [outcome] * len(batch), self.now))

    @rule(desk=st.sampled_from([Desk.LOOKUPS, Desk.STREAMS]))
    def is_asked(self, desk):
        job, late = self.scheduler.next_question(desk, self.now)
        self.answer(late)
        if job is not None:
            name = job.params.stream.name
            assert name not in {other.params.stream.name for other in self.asking}
            self.asking.append(job)

    @precondition(lambda self: self.asking)
    @rule(data=st.data(), fails=st.booleans())
    def answers(self, data, fails):
        job = self.popped(data, self.asking)
        answer = BadAudio("too many turns") if fails else answer_to(job)
        self.answer(self.scheduler.answered(job, answer))

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds):
        self.now += seconds
        self.answer(self.scheduler.expire(self.now))

    @rule()
    def work(self):
        """All goes well."""
        self.begins()
        for source in list(self.decoding):
            self.decoding.remove(source)
            self.answer(self.scheduler.decoded(source, [Decoded(None, is_last=True)], self.now))
        if not self.running:
            self.runs()
        if self.running:
            self.has_run(fits=True)
        for desk in (Desk.LOOKUPS, Desk.STREAMS):
            self.is_asked(desk)
        for job in list(self.asking):
            self.asking.remove(job)
            self.answer(self.scheduler.answered(job, answer_to(job)))

    # Rarely: what ends everything would leave little to happen after it.

    @precondition(lambda self: self.next_id > 6)
    @rule()
    def shuts_down(self):
        self.is_draining = True
        self.scheduler.drain()

    @precondition(lambda self: self.is_draining)
    @rule()
    def gives_up_what_waits(self):
        self.answer(self.scheduler.fail_waiting(Cancelled("the end")))

    @precondition(lambda self: self.is_draining)
    @rule()
    def the_device_fails(self):
        self.answer(self.scheduler.fail_all(DeviceError("broken")))

    # The model's part

    def any_of(self, data):
        return list(self.open.values())[data.draw(st.integers(0, len(self.open) - 1))]

    @staticmethod
    def popped(data, those):
        return those.pop(data.draw(st.integers(0, len(those) - 1)))

    def answer(self, jobs):
        self.played.answer(jobs)
        new, self.n_noted = self.played.finished[self.n_noted :], len(self.played.finished)
        for job in new:
            stream = self.open.get(job.params.stream.name)
            if job.params.ending is not None:
                self.answered.append(job.id)
                assert stream.close == job.id
                self.leave(stream)
            elif stream is not None:
                self.step_ends(stream, job)

    def step_ends(self, stream, job):
        stream.heard += stream.step_bytes
        stream.step_bytes = 0
        if job.fault is not None:
            stream.error = job.fault
        elif not self.is_draining:
            stream.step()

    def leave(self, stream):
        del self.open[stream.name]
        self.gone.append(stream.name)
        if stream.close is not None:
            self.outbox.gone.add(stream.name)

    @invariant()
    def each_is_answered_once(self):
        assert len(self.answered) == len(set(self.answered))
        assert set(self.answered) <= self.asked

    @invariant()
    def counts_agree(self):
        assert len(self.played.streams) == len(self.open) <= MOST_STREAMS
        for stream in self.open.values():
            assert not stream.is_too_much(stream.pushed - stream.heard)
            assert stream.error is None or stream.close is None, "its close waits for ever"

    def teardown(self):
        """From anywhere, what works on answers each close in bounded steps."""
        for _ in range(1000):
            if self.scheduler.is_idle and not self.decoding:
                break
            self.work()
        assert self.scheduler.is_idle, "some wait for ever"
        assert set(self.answered) == self.asked
        if not self.is_draining:
            for stream in self.open.values():
                assert stream.error or stream.seconds(stream.pushed - stream.heard) < HOP_S


class Steps:
    """Those of an audio, which may be closed."""

    def close(self):
        pass


AnyOrder.TestCase.settings = settings(
    max_examples=number_from("STREAM_EXAMPLES", 200), stateful_step_count=60, deadline=None
)
TestAnyOrder = AnyOrder.TestCase
