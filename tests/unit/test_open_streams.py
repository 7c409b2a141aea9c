"""What is pushed into a stream is heard once, in order, one step at a time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from unit.scheduling import LIMITS

from protocol.diarization import DiarizeResult
from protocol.errors import (
    Cancelled,
    Draining,
    InternalError,
    InvalidParams,
    Overloaded,
    UnknownStream,
)
from protocol.streams import StreamCloseParams, StreamOpenParams, StreamPushParams, StreamTurn
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


class Played:
    """Streams with a scheduler, whose work is done when a test says so."""

    def __init__(self):
        self.scheduler, self.outbox = Scheduler(LIMITS), FakeOutbox()
        self.streams = OpenStreams(self.scheduler, self.outbox, lambda: 0.0)
        self.finished = []

    def open(self):
        return self.streams.open(OPENING).stream

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
        name, is_end = source.job.params.stream.name, source.job.params.ending is not None
        desk = Desk.STREAMS if is_end else Desk.LOOKUPS
        job, late = self.scheduler.next_question(desk, 0.0)
        assert late == []
        assert job is source.job
        turn = StreamTurn(name, 0, 0.0, None, final=False)
        result = None
        if is_end:
            result = DiarizeResult((), (), 4, "m", "f", 0.0)
        self.answer(self.scheduler.answered(job, StreamAnswer((turn,), result)))

    def answer(self, jobs):
        """As the pipeline does."""
        for job in jobs:
            self.finished.append(job)
            self.answer(self.streams.finished(job, job.params))


@pytest.fixture
def played():
    return Played()


def seconds_of(source):
    return len(source.audio.pcm) / 2 / RATE_HZ


def test_nothing_is_heard_before_there_is_enough(played):
    name = played.open()
    assert played.push(name, 0.2).buffered_s == pytest.approx(0.2)
    assert played.next_step() is None
    played.push(name, 0.1)
    assert seconds_of(played.next_step()) == pytest.approx(0.3)


def test_one_step_at_a_time_and_none_too_long(played):
    name = played.open()
    played.push(name, 5)
    first = played.next_step()
    assert seconds_of(first) == 2
    assert played.next_step() is None
    assert played.push(name, 1).buffered_s == 6
    played.heard(first)
    assert [told.stream for told in played.outbox.told] == [name]
    assert seconds_of(played.next_step()) == 2
    assert played.push(name, 0).buffered_s == 4


def test_streams_do_not_wait_for_each_other(played):
    names = [played.open() for _ in range(3)]
    for name in names:
        played.push(name, 1)
    sources = [played.next_step() for _ in names]
    assert [source.job.params.stream.name for source in sources] == names


def test_a_close_waits_for_the_step_before_it(played):
    name = played.open()
    played.push(name, 3)
    first = played.next_step()
    played.streams.close(7, StreamCloseParams(name), 10, 0.0)
    assert played.next_step() is None
    played.heard(first)
    last = played.next_step()
    assert last.job.id == 7
    assert seconds_of(last) == 1
    played.heard(last)
    assert [job.id for job in played.finished] == [first.job.id, 7]
    assert len(played.streams) == 0
    assert played.scheduler.is_idle


def test_a_step_that_fails_fails_the_close(played):
    name = played.open()
    played.push(name, 3)
    first = played.next_step()
    played.streams.close(7, StreamCloseParams(name), 10, 0.0)
    played.answer(played.scheduler.failed(first, InternalError("a bug")))
    assert [job.fault.kind for job in played.finished] == ["internal", "internal"]
    assert played.scheduler.is_idle
    assert len(played.streams) == 0


def test_a_step_that_fails_is_told_once(played):
    name = played.open()
    played.push(name, 1)
    played.answer(played.scheduler.failed(played.next_step(), InternalError("a bug")))
    with pytest.raises(InternalError):
        played.push(name, 1)
    with pytest.raises(UnknownStream):
        played.push(name, 1)


def test_a_close_that_is_given_up_leaves_nothing(played):
    name = played.open()
    played.push(name, 3)
    first = played.next_step()
    played.streams.close(7, StreamCloseParams(name), 10, 0.0)
    played.answer(played.scheduler.cancel(7))
    assert isinstance(played.finished[0].fault, Cancelled)
    assert len(played.streams) == 0
    played.heard(first)
    assert played.scheduler.is_idle


def test_no_more_waits_than_may(played):
    name = played.open()
    played.push(name, 30)
    with pytest.raises(Overloaded) as refusal:
        played.push(name, 0.001)
    assert refusal.value.data()["buffered_s"] == 30
    played.heard(played.next_step())
    played.push(name, 2)


def test_what_never_fits_is_not_to_be_tried_again(played):
    name = played.open()
    with pytest.raises(InvalidParams, match="too long for any moment") as refusal:
        played.push(name, 30.001)
    assert not refusal.value.retryable
    assert played.push(name, 30).received_s == 30


def test_a_wide_stream_is_bounded_by_its_bytes(played):
    opening = StreamOpenParams(192_000, "f32le", channels=8)
    name = played.streams.open(opening).stream
    half_a_second = bytes(192_000 * 4 * 8 // 2)
    for _ in range(5):
        played.streams.push(StreamPushParams(name, half_a_second))
    with pytest.raises(Overloaded):
        played.streams.push(StreamPushParams(name, half_a_second))


def test_what_is_refused_for_its_bytes_finds_room_later(played):
    """Two such pieces are too many, and one is less than what is heard otherwise."""
    opening = StreamOpenParams(192_000, "f32le", channels=64)
    name = played.streams.open(opening).stream
    piece = StreamPushParams(name, bytes(192_000 * 4 * 64 // 5))
    played.streams.push(piece)
    assert played.next_step() is None
    with pytest.raises(Overloaded):
        played.streams.push(piece)
    played.heard(played.next_step())
    assert played.streams.push(piece).received_s == pytest.approx(0.4)


def test_while_it_ends_nothing_more_is_taken(played):
    name = played.open()
    played.push(name, 3)
    first = played.next_step()
    played.scheduler.drain()
    for refused in (played.open, lambda: played.push(name, 1)):
        with pytest.raises(Draining):
            refused()
    with pytest.raises(Draining):
        played.streams.close(7, StreamCloseParams(name), 10, 0.0)
    played.heard(first)
    assert played.scheduler.is_idle


class AnyOrder(RuleBasedStateMachine):
    """Pushes, steps, failures, cancels and closes of a few streams in any order."""

    def __init__(self):
        super().__init__()
        self.played = Played()
        self.open = {}
        self.heard = {}
        self.in_work = []
        self.asked = []
        self.ids = iter(range(10**6))

    @precondition(lambda self: len(self.open) < 3)
    @rule()
    def opens(self):
        name = self.played.open()
        self.open[name], self.heard[name] = 0, 0

    @precondition(lambda self: self.open)
    @rule(data=st.data(), hundredths=st.integers(0, 700))
    def pushes(self, data, hundredths):
        name = data.draw(st.sampled_from(sorted(self.open)))
        try:
            told = self.played.push(name, hundredths / 100)
        except Overloaded:
            assert self.open[name] - self.heard[name] + hundredths > 3000
        except InternalError:
            del self.open[name]
        else:
            self.open[name] += hundredths
            assert told.received_s == pytest.approx(self.open[name] / 100)

    @rule()
    def begins(self):
        source = self.played.next_step()
        if source is not None:
            self.in_work.append(source)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data(), fails=st.booleans())
    def ends(self, data, fails):
        source = self.in_work.pop(data.draw(st.integers(0, len(self.in_work) - 1)))
        if source.job.fault is not None:
            self.played.answer(self.played.scheduler.decoded(source, [], 0.0))
        elif fails:
            self.played.answer(self.played.scheduler.decoded(source, [], 0.0))
            self.played.answer(self.played.scheduler.failed(source, InternalError("a bug")))
        else:
            self.heard[source.job.params.stream.name] += round(100 * seconds_of(source))
            self.played.heard(source)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), cancels=st.booleans())
    def closes(self, data, cancels):
        name = data.draw(st.sampled_from(sorted(self.open)))
        del self.open[name]
        request_id = next(self.ids)
        try:
            self.played.streams.close(request_id, StreamCloseParams(name), 10, 0.0)
        except InternalError:
            return
        except Overloaded:
            self.open[name] = self.heard[name]
            return
        self.asked.append(request_id)
        if cancels:
            self.played.answer(self.played.scheduler.cancel(request_id))

    @invariant()
    def each_is_answered_once(self):
        counts = Counter(job.id for job in self.played.finished if job.id >= 0)
        assert all(count == 1 for count in counts.values())

    def teardown(self):
        while self.in_work or (source := self.played.next_step()) is not None:
            source = self.in_work.pop() if self.in_work else source
            if source.job.fault is None:
                self.played.heard(source)
            else:
                self.played.answer(self.played.scheduler.decoded(source, [], 0.0))
        assert {job.id for job in self.played.finished if job.id >= 0} == set(self.asked)
        assert self.played.scheduler.is_idle


def test_in_any_order_each_close_is_answered_once():
    run_state_machine_as_test(AnyOrder, settings=settings(max_examples=60, deadline=None))
