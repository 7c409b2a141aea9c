"""A live stream: samples in, and who speaks in them as it comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from protocol.errors import Overloaded
from protocol.gallery_reports import PersonName
from protocol.messages import Notice
from protocol.methods import Params
from protocol.python.diarization import Diarization, read_diarization
from protocol.python.embedding import Numbers, read_numbers
from protocol.python.errors import ChildGone, RemoteError
from protocol.python.results import read
from protocol.streams import (
    StreamCloseParams,
    StreamLevel,
    StreamOpened,
    StreamOpenParams,
    StreamPushed,
    StreamPushParams,
    StreamTurn,
)

# What is pushed at once: well below what the child keeps unheard, of seconds and of bytes.
_PIECE_S, _PIECE_BYTES = 1.0, 2**20
_RETRY_AFTER_S = 0.25
# Of samples, as ``memoryview`` names them.
_FORMATS = {"f32le": "f", "s16le": "h"}
_BYTES = ("B", "b", "c")


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """Somebody speaks: told when it is noticed, whenever it is known better, and at last.

    Attributes:
        turn: its number; what is told later replaces what was told before.
        start_s, end_s: in the stream's time; ``end_s`` is None while it lasts.
        final: it changes no more.
        speaker: a label such as ``S1``; None: not known yet, or, of a final one, too little to
            tell, or nobody after all.
        person, llr, probability: of the gallery, as ``people.identify`` tells them; they may be
            known before the label is.
        embedding: of a final turn: of all that this speaker has said so far;
            ``stored_embedding(turn.embedding, fingerprint, turn.speech_s)`` is a voice to enrol,
            with the fingerprint of the model that serves.
        speech_s: likewise: how long that was.
    """

    turn: int
    start_s: float
    end_s: float | None
    final: bool
    speaker: str | None = None
    person: PersonName | None = None
    llr: float | None = None
    probability: float | None = None
    embedding: Numbers | None = None
    speech_s: float | None = None


OnTurn: TypeAlias = Callable[[LiveTurn], None]
OnLevel: TypeAlias = Callable[[StreamLevel], None]


class Asked(Protocol):
    """The sidecar, as a stream needs it."""

    def call(self, params: Params, timeout_s: float | None) -> dict[str, Any]:
        """See ``Connection.call``."""

    def listen(self, stream: str, listener: Callable[[Notice], None] | None) -> None:
        """See ``Connection.listen``."""


class Live:
    """One stream; its methods may be called from any thread, ``push`` by one at a time.

    It is gone with its child: then every call raises ``ChildGone``. Leaving the ``with`` block
    gives up what was not closed.
    """

    def __init__(
        self, sidecar: Asked, params: StreamOpenParams, on_turn: OnTurn, on_level: OnLevel
    ) -> None:
        self._sidecar = sidecar
        self._on_turn, self._on_level = on_turn, on_level
        self._lock = threading.Lock()
        self._turns: dict[int, LiveTurn] = {}
        self._is_open = True
        self._encoding = params.encoding
        self._frame_bytes = params.channels * (2 if params.encoding == "s16le" else 4)
        most_frames = max(1, _PIECE_BYTES // self._frame_bytes)
        n_frames = min(round(_PIECE_S * params.sample_rate_hz), most_frames)
        self._piece_bytes = n_frames * self._frame_bytes
        self._stream = read(StreamOpened, sidecar.call(params, None)).stream
        sidecar.listen(self._stream, self._take)

    @property
    def turns(self) -> tuple[LiveTurn, ...]:
        """What is known of each turn, in the order in which they were noticed."""
        with self._lock:
            return tuple(self._turns.values())

    def push(self, pcm: Any) -> StreamPushed:  # noqa: ANN401 - whatever has the buffer protocol
        """Push whole frames: bytes, or an array of the stream's encoding, of any length.

        What is long goes in pieces of a second. It waits while the child has no room, and returns
        how much has come in all, and how much of that was not heard yet. It raises what
        ``SpeakerSidecar.call`` does, too; the pieces before one that is refused were taken.

        Raises:
            ValueError: these are samples of another type, or no whole frames; nothing was taken.
        """
        samples = self._bytes_of(pcm)
        starts = range(0, len(samples), self._piece_bytes) or (0,)
        for start in starts:
            piece = bytes(samples[start : start + self._piece_bytes])
            pushed = self._push(StreamPushParams(self._stream, piece))
        return pushed

    def close(
        self,
        *,
        n_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        exclusive: bool = False,
        deadline_ms: float | None = None,
    ) -> Diarization:
        """Nothing more comes: who spoke when, in hindsight; the options are those of ``diarize``.

        Labels mean whom they meant in final turns; a speaker's ``also`` has those that turned out
        to be theirs, too.
        """
        self._is_open = False
        params = StreamCloseParams(
            self._stream, n_speakers, min_speakers, max_speakers, exclusive, deadline_ms
        )
        try:
            return read_diarization(self._sidecar.call(params, None))
        finally:
            self._sidecar.listen(self._stream, None)

    def __enter__(self) -> Live:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_open:
            # Nobody wants its result, and its deadline has passed.
            with contextlib.suppress(ChildGone, RemoteError):
                self.close(deadline_ms=0)

    def _bytes_of(self, pcm: Any) -> memoryview:  # noqa: ANN401 - as of ``push``
        samples = memoryview(pcm)
        wanted = _FORMATS[self._encoding]
        if samples.format not in {wanted, *_BYTES}:
            raise ValueError(
                f"a stream of {self._encoding} takes bytes or an array of the type {wanted!r}, not "
                f"{samples.format!r}: convert it first"
            )
        if samples.nbytes % self._frame_bytes:
            raise ValueError(
                f"{samples.nbytes} bytes are no whole frames of {self._frame_bytes} bytes: push "
                "all channels of each sample together"
            )
        return samples.cast("B")

    def _push(self, params: StreamPushParams) -> StreamPushed:
        while (pushed := self._try_to_push(params)) is None:
            pass
        return pushed

    def _try_to_push(self, params: StreamPushParams) -> StreamPushed | None:
        """Push once; None: there was no room, and it has waited as the child says."""
        try:
            return read(StreamPushed, self._sidecar.call(params, None))
        except RemoteError as error:
            if error.code != Overloaded.code:
                raise
            match error.failure.data:
                case {"retry_after_ms": int() | float() as retry_after_ms}:
                    time.sleep(retry_after_ms / 1000)
                case _:
                    time.sleep(_RETRY_AFTER_S)
        return None

    def _take(self, notice: Notice) -> None:
        if notice.method == StreamLevel.method:
            self._on_level(read(StreamLevel, notice.params))
        elif notice.method == StreamTurn.method:
            turn = read_turn(notice.params)
            with self._lock:
                self._turns[turn.turn] = turn
            self._on_turn(turn)


def read_turn(params: dict[str, Any]) -> LiveTurn:
    """What ``stream_turn`` tells."""
    person, embedding = params.get("person"), params.get("embedding")
    read_values = {
        "end_s": params.get("end_s"),
        "person": None if person is None else read(PersonName, person),
        "embedding": None if embedding is None else read_numbers(embedding),
    }
    return read(LiveTurn, {**params, **read_values})
