"""What a Python program uses: one sidecar and its methods."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import Any

from protocol.errors import ParseError
from protocol.framing import MAX_FRAME_BYTES, encode_frame
from protocol.hello import PROTOCOL
from protocol.messages import (
    Notice,
    decode_from_child,
    encode_cancel,
    encode_request,
)
from protocol.methods import Params
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    HealthParams,
    MetricsParams,
    ProbeParams,
    RequestId,
    ScoreParams,
    ShutdownParams,
)
from protocol.python.child import Child, spawn
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
    read_probe,
    read_warnings,
    read_windows,
)
from protocol.python.errors import ChildGone, RemoteError, exit_reason
from protocol.python.unanswered import OnProgress, Unanswered
from protocol.reports import ProbeResult, ScoreResult

_SERVING = ("ready", "degraded")
_EXIT_S = 1.0  # from the end of the output to that of the process

_LOGGER = logging.getLogger(__name__)


class SpeakerSidecar:
    """One running sidecar; its methods may be called from any thread.

    Leaving the ``with`` block shuts it down. Unlike the npm package it starts no second child when
    the first one dies: then every call raises ``ChildGone``.

    ``hello`` and ``health`` are what the child said last of itself, None and empty at first.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], on_notice: Callable[[Notice], None]
    ) -> None:
        self.process = process
        self.hello: dict[str, Any] | None = None
        self.health: dict[str, Any] = {}
        self._on_notice = on_notice
        self._ids = itertools.count(1)
        self._unanswered = Unanswered()
        self._max_frame_bytes = MAX_FRAME_BYTES
        self._child = Child(process, self._take, self._settle_all)

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
        self, audio: AudioSource, *, normalize: bool = True, deadline_ms: float | None = None
    ) -> Embedding:
        """One audio to one embedding: a path, a file's bytes, or samples as ``PcmAudio``.

        This and the methods below raise ``RemoteError``, ``ChildGone`` and ``ValueError``, as
        ``call`` does. Bytes and samples may take what the child's ``hello`` allows: 64 MiB unless
        it was started with ``--max-frame-mib`` (and before it said so). A path has no such limit.
        """
        return read_embedding(self.call(EmbedParams(as_audio(audio), normalize, deadline_ms), None))

    def embed_batch(
        self,
        audios: Iterable[AudioSource],
        *,
        normalize: bool = True,
        deadline_ms: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Outcomes:
        """Some audios to as many outcomes, in their order; one that fails spoils no other.

        The limit of bytes and samples is that of all ``audios`` together.

        ``on_progress(done, total)`` is called at most four times a second, on the thread that
        reads all answers: it must return quickly, and must not call this sidecar. What it raises
        is logged. So it is in the two methods below; the total of windows is None as long
        as the audio's length is not known.
        """
        items = tuple(as_audio(audio) for audio in audios)
        params = EmbedBatchParams(items, normalize, deadline_ms, on_progress is not None)
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

    def score(self, a: Voice, b: Voice) -> ScoreResult:
        """How alike two voices are: the cosine of audios, or of embeddings that were kept.

        ``stored_embedding`` makes a voice of an embedding's numbers and its fingerprint.
        """
        result = self.call(ScoreParams(as_voice(a), as_voice(b)), None)
        return ScoreResult(
            result["cosine"], result["fingerprint"], read_warnings(result.get("warnings", ()))
        )

    def probe(self, audio: AudioSource, *, deadline_ms: float | None = None) -> ProbeResult:
        """What an audio is: its format, length, rate and channels, and what is odd about it.

        Answered while the model loads, too. Little of it is decoded.
        """
        result = self.call(ProbeParams(as_audio(audio), deadline_ms), None)
        return read_probe(result)

    def health_report(self) -> dict[str, Any]:
        """The child's state, device and model. Answered while it loads, too."""
        return self.call(HealthParams())

    def metrics(self) -> dict[str, Any]:
        """The child's counts and times. Answered while it loads, too."""
        return self.call(MetricsParams())

    def send(
        self, params: Params, on_progress: OnProgress | None = None
    ) -> tuple[RequestId, Future[dict[str, Any]]]:
        """Send a request; its id, and the future of its result, ``RemoteError`` or ``ChildGone``.

        ``on_progress`` is called where ``params.progress`` is True, on the thread that reads all
        answers, as ``on_notice`` is.

        Raises:
            ValueError: its audio takes more bytes than the child accepts; nothing was sent.
        """
        request_id = next(self._ids)
        payload = encode_request(request_id, params)
        if len(payload) > self._max_frame_bytes:
            raise ValueError(
                f"this audio takes {len(payload)} bytes with its request, and the sidecar accepts "
                f"at most {self._max_frame_bytes}: pass a path"
            )
        future = self._unanswered.add(request_id, on_progress)
        if not future.done():
            self._child.write(encode_frame(payload, self._max_frame_bytes))
        return request_id, future

    def call(
        self,
        params: Params,
        timeout_s: float | None = 60.0,
        on_progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        """Send a request and wait for its result; ``on_progress`` as for ``send``.

        Raises:
            RemoteError: the child refused it.
            ChildGone: the child ended first.
            TimeoutError: neither came in time.
            ValueError: its audio takes more bytes than the child accepts; nothing was sent.
        """
        try:
            return self.send(params, on_progress)[1].result(timeout_s)
        except FutureTimeoutError as error:
            # In Python 3.10 it is not the builtin yet.
            raise TimeoutError(f"no answer to {params.method} within {timeout_s} s") from error

    def cancel(self, request_id: RequestId) -> None:
        """Tell the child that an answer is no longer wanted; it is still answered."""
        self._child.write(encode_frame(encode_cancel(request_id)))

    def wait_until_ready(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until the child serves; its health report.

        Raises:
            ChildGone: it failed to start; the message has its reason.
            TimeoutError: it still loads.
        """
        has_settled = self._child.wait_until(
            lambda: self._state in {*_SERVING, "failed"}, timeout_s
        )
        if self._state in _SERVING:
            return self.health
        reason = self.health.get("reason", "no hello")
        if has_settled or self._unanswered.gone is not None:
            raise ChildGone("the sidecar did not start", self._unanswered.gone or reason)
        raise TimeoutError(f"the sidecar still loads: {reason}")

    def close(self, timeout_s: float = 10.0) -> int:
        """Shut the child down, or kill it if it does not end in time; its exit code."""
        with contextlib.suppress(ChildGone, RemoteError, TimeoutError):
            self.call(ShutdownParams(), timeout_s)
        self._child.close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self._child.kill()

    @property
    def _state(self) -> object:
        return self.health.get("state")

    def _take(self, payload: bytes) -> None:
        message = decode_from_child(payload)
        if isinstance(message, Notice):
            self._take_notice(message)
            return
        self._unanswered.answer(message)

    def _take_notice(self, notice: Notice) -> None:
        if notice.method == "hello":
            self.hello = notice.params
            if notice.params.get("protocol") != PROTOCOL:
                raise ParseError(f"protocol {notice.params.get('protocol')}, not {PROTOCOL}")
            match notice.params:
                case {"limits": {"max_frame_bytes": int(max_frame_bytes)}}:
                    self._max_frame_bytes = max_frame_bytes
        elif notice.method == "health":
            self.health = notice.params
        elif notice.method == "progress" and "id" in notice.params:
            self._unanswered.progress(notice.params)
        try:
            self._on_notice(notice)
        except Exception:
            # Whoever waits for an answer must still get it.
            _LOGGER.exception("on_notice failed at %s", notice.method)

    def _settle_all(self, fault: str | None) -> None:
        self._unanswered.child_is_gone(fault or self._reason_of_end())

    def _reason_of_end(self) -> str:
        if self._state == "failed":
            return str(self.health.get("reason"))
        exit_code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            exit_code = self.process.wait(_EXIT_S)
        return exit_reason(exit_code)
