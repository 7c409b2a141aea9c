"""Streams: who speaks as it happens; the params of the methods, their results, and what is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from protocol.gallery_reports import PersonName
from protocol.params import Channel

# What is told of a stream unasked: who speaks, or also how loud it is.
Detail: TypeAlias = Literal["turns", "levels"]


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A speaker of an earlier stream, which the new one goes on with.

    Attributes:
        label: what they are called; the stream keeps it for them.
        embedding: of their speech, dim x f32le.
        fingerprint: of the model that made it.
        speech_s: how long they had spoken, in seconds.
    """

    label: str
    embedding: bytes
    fingerprint: str
    speech_s: float


@dataclass(frozen=True, slots=True)
class StreamOpenParams:
    """``stream_open``: audio will come piece by piece; who speaks is told as it comes.

    Attributes:
        sample_rate_hz, encoding, channels, channel: as of ``PcmAudio``.
        identify: whether the gallery is asked who they are.
        detail: what is told.
        start_s: the time of the first sample; all times count on from there.
        speakers: who has spoken before.
    """

    method: ClassVar[str] = "stream_open"
    sample_rate_hz: int
    encoding: str
    channels: int = 1
    channel: Channel | None = None
    identify: bool = False
    detail: Detail = "turns"
    start_s: float = 0.0
    speakers: tuple[KnownSpeaker, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamPushParams:
    """``stream_push``: what comes next: whole frames of interleaved samples."""

    method: ClassVar[str] = "stream_push"
    stream: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class StreamCloseParams:
    """``stream_close``: nothing more comes; who spoke when, in hindsight.

    The attributes are those of ``DiarizeParams``.
    """

    method: ClassVar[str] = "stream_close"
    stream: str
    n_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    exclusive: bool = False
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """``stream`` names it from now on; opaque."""

    stream: str


@dataclass(frozen=True, slots=True)
class StreamPushed:
    """How much has come in all, and how much of it was not heard yet, in seconds."""

    received_s: float
    buffered_s: float


@dataclass(frozen=True, slots=True)
class StreamTurn:
    """Somebody speaks: told when it is noticed, whenever it is known better, and at last.

    Attributes:
        turn: its number in the stream; what is told later replaces what was told before.
        start_s, end_s: in the stream's time; ``end_s`` is None while it lasts.
        final: it changes no more.
        speaker: who it is; None: not known yet, or, of a final one, too little to tell.
        person, llr, probability: of the gallery, as of ``SpeakerReport``.
        embedding: of a final turn: of all that this speaker has said so far, dim x f32le.
        speech_s: likewise: how long that was.
    """

    method: ClassVar[str] = "stream_turn"
    stream: str
    turn: int
    start_s: float
    end_s: float | None
    final: bool
    speaker: str | None = None
    person: PersonName | None = None
    llr: float | None = None
    probability: float | None = None
    embedding: bytes | None = None
    speech_s: float | None = None


@dataclass(frozen=True, slots=True)
class StreamLevel:
    """How loud the stream was from ``start_s`` to ``end_s``.

    Attributes:
        rms_dbfs, peak_dbfs: of the samples, a full-scale square wave has 0; None: all are zero.
        speech: how probable speech was, at most, 0 to 1; None: nobody listens for that.
    """

    method: ClassVar[str] = "stream_level"
    stream: str
    start_s: float
    end_s: float
    rms_dbfs: float | None = None
    peak_dbfs: float | None = None
    speech: float | None = None


StreamParams: TypeAlias = StreamOpenParams | StreamPushParams
StreamNotification: TypeAlias = StreamTurn | StreamLevel
