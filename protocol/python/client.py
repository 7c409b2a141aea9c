"""What a Python program uses: one sidecar and its methods."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from protocol.diarization import DiarizeParams
from protocol.messages import Notice
from protocol.params import (
    Channel,
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    HealthParams,
    MetricsParams,
    ProbeParams,
    ScoreParams,
    SpeechParams,
    SpeechUse,
)
from protocol.python.child import spawn
from protocol.python.connection import Connection
from protocol.python.diarization import Diarization, read_diarization
from protocol.python.embedding import (
    AudioSource,
    Embedding,
    Outcomes,
    Voice,
    WindowEmbeddings,
    as_audio,
    as_voice,
    read_embedding,
    read_outcomes,
    read_windows,
)
from protocol.python.live import Live, OnLevel, OnTurn
from protocol.python.people import People
from protocol.python.results import read, read_speech
from protocol.python.unanswered import OnProgress
from protocol.quality import SpeechResult
from protocol.reports import ProbeResult, ScoreResult
from protocol.streams import Detail, StreamOpenParams


class SpeakerSidecar(Connection):
    """One running sidecar; its methods may be called from any thread.

    Leaving the ``with`` block shuts it down. Unlike the npm package it starts no second child when
    the first one dies: then every call raises ``ChildGone``.

    ``hello`` and ``health`` are what the child said last of itself, None and empty at first.
    ``people`` is whom it knows by voice.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], on_notice: Callable[[Notice], None]
    ) -> None:
        super().__init__(process, on_notice)
        self.people = People(lambda params: self.call(params, None))

    @classmethod
    def start(
        cls,
        argv: Sequence[str] | None = None,
        *,
        model: str | None = None,
        on_notice: Callable[[Notice], None] = lambda _: None,
        **popen: Any,  # noqa: ANN401 - they are Popen's
    ) -> SpeakerSidecar:
        """Start a sidecar. It returns before the model is loaded: calls wait for that.

        Args:
            argv: the command, with its options; default: ``-m sidecar`` with this Python. A frozen
                app (PyInstaller's, for example) must name it.
            model: the model's id or folder; default: the command's own.
            on_notice: called with each notification, on the thread that reads all answers: it must
                return quickly, and must not call this sidecar. What it raises is logged.
            popen: further arguments of ``subprocess.Popen``, such as ``stderr`` for the log.

        Raises:
            OSError: it cannot be started.
            ValueError: this app is frozen, and ``argv`` is absent.
        """
        if argv is None and getattr(sys, "frozen", False):
            # It would start itself again, and so would that one.
            raise ValueError("this app is frozen: name the sidecar's program in argv")
        words = [sys.executable, "-m", "sidecar"] if argv is None else list(argv)
        if model is not None:
            words += ["--model", model]
        if not any(word.partition("=")[0] == "--parent-pid" for word in words):
            words += ["--parent-pid", str(os.getpid())]
        return cls(spawn(words, **popen), on_notice)

    def __enter__(self) -> SpeakerSidecar:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def embed(
        self,
        audio: AudioSource,
        *,
        normalize: bool = True,
        deadline_ms: float | None = None,
        speech: SpeechUse = "all",
    ) -> Embedding:
        """One audio to one embedding: a path, a file's bytes, or samples as ``PcmAudio``.

        This and the methods below raise ``RemoteError``, ``ChildGone`` and ``ValueError``, as
        ``call`` does. Bytes and samples may take what the child's ``hello`` allows: 64 MiB unless
        it was started with ``--max-frame-mib`` (and before it said so). A path has no such limit.

        ``speech``, here and below: what of the audio is embedded, ``all`` of it, its speech alone
        (``auto``), or all of it if there is enough speech (``require``).
        """
        params = EmbedParams(as_audio(audio), normalize, deadline_ms, speech)
        return read_embedding(self.call(params, None))

    def embed_batch(
        self,
        audios: Iterable[AudioSource],
        *,
        normalize: bool = True,
        deadline_ms: float | None = None,
        speech: SpeechUse = "all",
        on_progress: OnProgress | None = None,
    ) -> Outcomes:
        """Some audios to as many outcomes, in their order; one that fails spoils no other.

        The limit of bytes and samples is that of all ``audios`` together.

        ``on_progress(done, total)`` is called at most four times a second, on the thread that
        reads all answers: it must return quickly, and must not call this sidecar. What it raises
        is logged. So it is in the two methods below, and in ``diarize``; the total of windows and
        seconds is None as long as the audio's length is not known.
        """
        items = tuple(as_audio(audio) for audio in audios)
        params = EmbedBatchParams(items, normalize, deadline_ms, on_progress is not None, speech)
        return read_outcomes(self.call(params, None, on_progress))

    def embed_windows(  # noqa: PLR0913 - all but the first are named
        self,
        audio: AudioSource,
        *,
        window_s: float,
        hop_s: float,
        normalize: bool = True,
        deadline_ms: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> WindowEmbeddings:
        """One embedding for each window of ``window_s`` seconds, one every ``hop_s``."""
        params = EmbedWindowsParams(
            as_audio(audio), window_s, hop_s, normalize, deadline_ms, on_progress is not None
        )
        return read_windows(self.call(params, None, on_progress))

    def embed_segments(
        self,
        audio: AudioSource,
        segments: Iterable[tuple[float, float]],
        *,
        normalize: bool = True,
        deadline_ms: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Outcomes:
        """One outcome for each segment of ``audio``, in their order, by decoding it once.

        A segment is a pair of its start and its end in seconds; each embedding is that of
        ``embed`` for this part.
        """
        pairs = tuple((float(start_s), float(end_s)) for start_s, end_s in segments)
        params = EmbedSegmentsParams(
            as_audio(audio), pairs, normalize, deadline_ms, on_progress is not None
        )
        return read_outcomes(self.call(params, None, on_progress))

    def score(
        self,
        a: Voice,
        b: Voice,
        *,
        speech: SpeechUse = "all",
        far: float | None = None,
        prior: float | None = None,
    ) -> ScoreResult:
        """How alike two voices are: audios, or embeddings that were kept; and what that means.

        ``stored_embedding`` makes a voice of an embedding's numbers and its fingerprint.

        At most one of ``far`` and ``prior`` says where "the same person" begins: the share of
        strangers that may be accepted, or how probable it is before anything is heard.
        """
        params = ScoreParams(as_voice(a), as_voice(b), speech, far, prior)
        return read(ScoreResult, self.call(params, None))

    def speech(self, audio: AudioSource, *, deadline_ms: float | None = None) -> SpeechResult:
        """Where in an audio somebody speaks: the segments are what ``embed_segments`` takes."""
        return read_speech(self.call(SpeechParams(as_audio(audio), deadline_ms), None))

    def diarize(  # noqa: PLR0913 - all but the first are named
        self,
        audio: AudioSource,
        *,
        n_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        identify: bool = False,
        exclusive: bool = False,
        deadline_ms: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Diarization:
        """Who speaks when, in an audio of any length; its progress is in seconds.

        ``n_speakers`` says how many there are (1 to 100), or ``min_speakers`` and ``max_speakers``
        between how many. ``identify`` asks the gallery who they are; ``exclusive`` lets one speak
        at a time, as transcripts want it.
        """
        params = DiarizeParams(
            as_audio(audio),
            n_speakers=n_speakers,
            min_speakers=min_speakers,
            max_speakers=max_speakers,
            identify=identify,
            exclusive=exclusive,
            deadline_ms=deadline_ms,
            progress=on_progress is not None,
        )
        return read_diarization(self.call(params, None, on_progress))

    def live(  # noqa: PLR0913 - all are named
        self,
        *,
        sample_rate_hz: int,
        encoding: str = "f32le",
        channels: int = 1,
        channel: Channel | None = None,
        identify: bool = False,
        detail: Detail = "turns",
        start_s: float = 0.0,
        on_turn: OnTurn = lambda _: None,
        on_level: OnLevel = lambda _: None,
    ) -> Live:
        """Who speaks as it happens: a stream, into which samples are pushed as they come.

        ``on_turn`` is called whenever something of a turn is news, and with ``detail="levels"``
        ``on_level`` four times a second, on the thread that reads all answers: they must return
        quickly, and must not call this sidecar. What they raise is logged.
        """
        params = StreamOpenParams(
            sample_rate_hz, encoding, channels, channel, identify, detail, start_s
        )
        return Live(self, params, on_turn, on_level)

    def probe(self, audio: AudioSource, *, deadline_ms: float | None = None) -> ProbeResult:
        """What an audio is: its format, length, rate and channels, and what is odd about it.

        Answered while the model loads, too. Little of it is decoded.
        """
        return read(ProbeResult, self.call(ProbeParams(as_audio(audio), deadline_ms), None))

    def health_report(self) -> dict[str, Any]:
        """The child's state, device and model. Answered while it loads, too."""
        return self.call(HealthParams())

    def metrics(self) -> dict[str, Any]:
        """The child's counts and times. Answered while it loads, too."""
        return self.call(MetricsParams())
