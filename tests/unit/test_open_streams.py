"""What is pushed into a stream is heard once, in order, one step at a time."""

from __future__ import annotations

import contextlib
import gc
import weakref

import pytest
from unit.played_streams import RATE_HZ, PlayedStreams
from unit.scheduling import LIMITS

from protocol.errors import (
    Cancelled,
    Draining,
    InternalError,
    InvalidParams,
    Overloaded,
    UnknownStream,
)
from protocol.streams import StreamCloseParams, StreamOpenParams, StreamPushParams


@pytest.fixture
def played():
    return PlayedStreams(LIMITS)


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


def test_what_was_heard_is_let_go_with_the_error_that_is_told(played):
    """Its traceback holds the frame that found the stream, and the stream holds the error."""

    class Heard:
        pass

    name = played.open()
    played.push(name, 1)
    source = played.next_step()
    source.job.params.stream.live = heard = Heard()
    played.answer(played.scheduler.failed(source, InternalError("a bug")))
    is_there = weakref.ref(heard)
    del source, heard
    played.finished.clear()
    gc.collect()
    gc.disable()
    try:
        assert is_there() is not None
        with contextlib.suppress(InternalError):
            played.push(name, 1)
        assert is_there() is None
    finally:
        gc.enable()


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
    name = played.open(opening)
    half_a_second = bytes(192_000 * 4 * 8 // 2)
    for _ in range(5):
        played.streams.push(StreamPushParams(name, half_a_second))
    with pytest.raises(Overloaded):
        played.streams.push(StreamPushParams(name, half_a_second))


def test_what_is_refused_for_its_bytes_finds_room_later(played):
    """Two such pieces are too many, and one is less than what is heard otherwise."""
    opening = StreamOpenParams(192_000, "f32le", channels=64)
    name = played.open(opening)
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
