"""The Python host's streams: what each call asks for, and how what is told is read."""

from __future__ import annotations

import array
import struct
from pathlib import Path

import pytest

from protocol.framing import FrameDecoder
from protocol.gallery_reports import PersonName
from protocol.messages import Failure, decode_from_child
from protocol.python import LiveTurn, RemoteError, SpeakerSidecar
from protocol.python import live as live_module
from protocol.streams import (
    StreamCloseParams,
    StreamLevel,
    StreamOpenParams,
    StreamPushed,
    StreamPushParams,
)

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
RATE_HZ = 8_000
PUSHED = {"received_s": 12.5, "buffered_s": 0.25}


def golden(name):
    """What a child tells in a vector."""
    payloads = FrameDecoder().feed((VECTORS / f"child_{name}.bin").read_bytes())
    return [decode_from_child(payload) for payload in payloads]


def full(retry_after_ms=500.0):
    data = {"kind": "overloaded", "retryable": True, "retry_after_ms": retry_after_ms}
    return RemoteError(Failure(1, -32001, "30.0 s wait to be heard", data))


class Played(SpeakerSidecar):
    """A sidecar without a child: each call has the next of ``answers``."""

    def __init__(self, *answers):
        self.asked, self.answers, self.listeners = [], list(answers), {}

    def call(self, params, timeout_s=None, on_progress=None):
        self.asked.append(params)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def listen(self, stream, listener):
        self.listeners[stream] = listener


@pytest.fixture
def pauses(monkeypatch):
    """How long the host waited."""
    paused = []
    monkeypatch.setattr(live_module.time, "sleep", paused.append)
    return paused


def opened(*answers, **options):
    sidecar = Played({"stream": "s1"}, *answers)
    return sidecar, sidecar.live(sample_rate_hz=RATE_HZ, **options)


def test_all_options_are_sent():
    sidecar, _live = opened(
        encoding="s16le", channels=2, channel=1, identify=True, detail="levels", start_s=30.5
    )
    expected = StreamOpenParams(RATE_HZ, "s16le", 2, 1, identify=True, detail="levels")
    assert sidecar.asked == [
        StreamOpenParams(*[getattr(expected, name) for name in expected.__slots__[:6]], 30.5)
    ]


def test_no_piece_has_more_bytes_than_the_child_keeps():
    """A second of these is 49 MB, for which there would never be room."""
    sidecar = Played({"stream": "s1"}, *[PUSHED] * 12)
    live = sidecar.live(sample_rate_hz=192_000, channels=64)
    live.push(bytes(12 * 2**20))
    sizes = [len(params.pcm) for params in sidecar.asked[1:]]
    assert sizes == [2**20] * 12


def test_what_is_pushed_goes_in_pieces_of_a_second():
    sidecar, live = opened(*[PUSHED] * 3)
    samples = array.array("f", range(2 * RATE_HZ + 10))
    assert live.push(samples) == StreamPushed(12.5, 0.25)
    pieces = [params.pcm for params in sidecar.asked[1:]]
    assert [len(piece) for piece in pieces] == [4 * RATE_HZ, 4 * RATE_HZ, 40]
    assert b"".join(pieces) == samples.tobytes()
    assert {params.stream for params in sidecar.asked[1:]} == {"s1"}


@pytest.mark.parametrize(
    ("encoding", "samples"),
    [
        ("f32le", array.array("d", [0.5] * 8)),  # as NumPy makes them, unless it is told otherwise
        ("f32le", array.array("h", [1] * 8)),
        ("s16le", array.array("f", [0.5] * 8)),
    ],
)
def test_samples_of_another_type_are_not_taken_for_those(encoding, samples):
    sidecar, live = opened(encoding=encoding)
    with pytest.raises(ValueError, match="convert it first"):
        live.push(samples)
    assert sidecar.asked[1:] == []


def test_what_ends_within_a_frame_is_refused_before_anything_of_it_is_taken():
    sidecar, live = opened(channels=2, encoding="s16le")
    with pytest.raises(ValueError, match="no whole frames of 4 bytes"):
        live.push(bytes(20 * RATE_HZ * 4 + 2))
    assert sidecar.asked[1:] == []


def test_an_hour_goes_in_pieces_that_wait_for_room(pauses):
    sidecar, live = opened(*[PUSHED] * 3599, full(), PUSHED, encoding="s16le")
    live.push(array.array("h", bytes(3600 * RATE_HZ * 2)))
    assert len(sidecar.asked[1:]) == 3601
    assert pauses == [0.5]


def test_nothing_may_be_pushed_to_ask_how_much_was_heard():
    sidecar, live = opened(PUSHED)
    assert live.push(b"").buffered_s == 0.25
    assert sidecar.asked[1:] == [StreamPushParams("s1", b"")]


def test_what_there_is_no_room_for_is_pushed_again(pauses):
    sidecar, live = opened(full(), full(20), PUSHED)
    live.push(bytes(400))
    assert sidecar.asked[1:] == [StreamPushParams("s1", bytes(400))] * 3
    assert pauses == [0.5, 0.02]


def test_another_refusal_is_raised(pauses):
    failure = Failure(1, -32015, "no such stream", {"kind": "unknown_stream"})
    _sidecar, live = opened(RemoteError(failure))
    with pytest.raises(RemoteError, match="unknown_stream"):
        live.push(bytes(4))
    assert pauses == []


def test_turns_as_they_stand_in_the_golden_frames():
    told = []
    sidecar, live = opened(on_turn=told.append)
    for notice in golden("stream_turn"):
        sidecar.listeners["s1"](notice)
    last = LiveTurn(
        turn=3,
        start_s=10.25,
        end_s=12.5,
        final=True,
        speaker="S2",
        person=PersonName("p-1", "Ada"),
        llr=6.5,
        probability=0.9985,
        embedding=(0.5, -0.5, 0.5, -0.5),
        speech_s=8.75,
    )
    assert told == [
        LiveTurn(3, 10.25, None, final=False),
        LiveTurn(3, 10.25, None, final=False, speaker="S2"),
        last,
    ]
    assert live.turns == (last,)


def test_levels_as_they_stand_in_the_golden_frames():
    told = []
    sidecar, live = opened(on_level=told.append, detail="levels")
    for notice in golden("stream_level"):
        sidecar.listeners["s1"](notice)
    assert told == [
        StreamLevel("s1", 12, 12.25, -20.5, -6.5, 0.75),
        StreamLevel("s1", 12.25, 12.5),
    ]
    assert live.turns == ()


def test_the_close_gives_the_whole():
    [answer] = golden("stream_closed")
    sidecar, live = opened(answer.result)
    found = live.close(min_speakers=2, exclusive=True, deadline_ms=5)
    assert sidecar.asked[1:] == [StreamCloseParams("s1", None, 2, None, True, 5)]
    [speaker] = found.speakers
    assert (speaker.label, speaker.also) == ("S2", ("S4", "S5"))
    assert speaker.embedding == struct.unpack("<4f", answer.result["speakers"][0]["embedding"])
    assert sidecar.listeners == {"s1": None}


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_block_that_is_left_gives_up_what_is_open(is_closed):
    [answer] = golden("stream_closed")
    sidecar, live = opened(answer.result)
    with live:
        if is_closed:
            live.close()
    [params] = sidecar.asked[1:]
    assert params.deadline_ms == (None if is_closed else 0)
