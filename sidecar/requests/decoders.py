"""The threads that decode: a few for samples, streams and files each, replaced where they hang."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from protocol.errors import BadAudio, DeviceError, InternalError, SidecarError
from protocol.params import PcmAudio
from sidecar.audio.waveform import Decoded
from sidecar.requests.decode_turn import decode_for_a_turn
from sidecar.requests.jobs import Job, Lane, Source
from sidecar.requests.lifecycle import Lifecycle
from sidecar.requests.scheduler import Scheduler
from sidecar.requests.vital_thread import vital_thread

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.diarization.diarizing import Diarizing

_log = logging.getLogger(__name__)

N_DECODERS = {Lane.SAMPLES: 1, Lane.STREAMS: 2, Lane.FILES: 2}
# For one block of a file, which takes milliseconds. Then the file is given up; a decoder that does
# not come back from a C library after so many times as long is replaced.
DECODE_TIMEOUT_S = 30.0
# The same for a stream, since few decoders hear all streams: what the others are pushed until one
# is replaced has room.
HEARING_TIMEOUT_S = 15.0
_REPLACED_AFTER = 1.2
# Hung decoders cannot be stopped, only replaced; this many and no more.
_MAX_HUNG_DECODERS = 8


class OnDecoded(Protocol):
    """Takes the jobs that are finished by a turn of ``source``; called under the lock."""

    def __call__(self, source: Source, finished: Sequence[Job], *, has_parts: bool) -> None:
        """``has_parts``: the turn has brought something for the device."""


class Decoders:
    """Decodes what ``scheduler`` hands out; all but ``start`` is called under ``lock``.

    Args:
        scheduler: what is in flight.
        lock: guards it.
        on_decoded: is told what came of each turn.
        lifecycle: is told if too many hang.
        clock: gives seconds, such as ``time.perf_counter``.
        make_way: is called on a decoder's thread before it works beside the device.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it is between them
        self,
        scheduler: Scheduler,
        lock: threading.RLock,
        on_decoded: OnDecoded,
        lifecycle: Lifecycle,
        clock: Callable[[], float],
        make_way: Callable[[], None],
    ) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._on_decoded = on_decoded
        self._lifecycle = lifecycle
        self._clock = clock
        self._make_way = make_way
        self._decoder: Diarizing | None = None
        self._decodable = {lane: threading.Condition(lock) for lane in Lane}
        self._stopped = False
        self._decoding: dict[threading.Thread, Source] = {}
        self._n_hung_decoders = 0

    def start(self) -> None:
        """Start the threads; they wait for ``allow``."""
        for lane, n_decoders in N_DECODERS.items():
            for _ in range(n_decoders):
                self._start_decoder(lane)

    def allow(self, decoder: Diarizing) -> None:
        """Decode with ``decoder`` from now on."""
        self._decoder = decoder
        self.wake()

    def wake(self) -> None:
        """One in each lane where something waits: to wake others costs live requests time.

        Who finds more than its own wakes the next one.
        """
        for lane, decodable in self._decodable.items():
            if self._scheduler.has_undecoded(lane):
                decodable.notify()

    def stop(self) -> None:
        """Decode nothing more."""
        self._stopped = True
        for decodable in self._decodable.values():
            decodable.notify_all()

    def give_up_hung(self) -> list[Job]:
        """Give up the audios whose decoders hang: the jobs that are finished by it."""
        now = self._clock()
        finished: list[Job] = []
        for thread, source in list(self._decoding.items()):
            decoding_s, most_s = now - source.step_started_at, _most_s(source)
            if decoding_s > most_s:
                finished += self._scheduler.failed(source, _timeout(source))
            if decoding_s > _REPLACED_AFTER * most_s:
                self._replace_decoder(thread, source)
        return finished

    def slept(self, seconds: float) -> None:
        """The machine slept that long: nobody hung."""
        for source in self._decoding.values():
            source.turn_started_at += seconds
            source.step_started_at += seconds

    def _start_decoder(self, lane: Lane) -> None:
        vital_thread(lambda: self._decode(lane), "decoder", self._lifecycle).start()

    def _decode(self, lane: Lane) -> None:
        thread = threading.current_thread()
        # What was decoded is no local of this frame, which would hold it until the next one.
        while self._decode_next(lane, thread):
            pass

    def _decode_next(self, lane: Lane, thread: threading.Thread) -> bool:
        """Wait for an audio and decode it for a turn; False: this thread is needed no more."""
        source = self._next_undecoded(lane, thread)
        if source is None:
            return False
        assert self._decoder is not None
        if source.is_cut:
            self._make_way()
        steps: list[Decoded] = []
        error = decode_for_a_turn(source, self._decoder, self._clock, steps)
        with self._lock:
            if self._decoding.pop(thread, None) is None:
                self._n_hung_decoders -= 1
                return False  # given up as hung, and replaced
            finished = self._scheduler.decoded(source, steps, self._clock())
            if error is not None:
                finished += self._scheduler.failed(source, error)
            has_parts = any(step.part is not None for step in steps)
            self._on_decoded(source, finished, has_parts=has_parts)
        return True

    def _next_undecoded(self, lane: Lane, thread: threading.Thread) -> Source | None:
        with self._lock:
            while not self._stopped:
                if self._decoder is not None:
                    source = self._scheduler.next_undecoded(lane, self._clock())
                    if source is not None:
                        self._decoding[thread] = source
                        if self._scheduler.has_undecoded(lane):
                            self._decodable[lane].notify()
                        return source
                self._decodable[lane].wait()
            return None

    def _replace_decoder(self, thread: threading.Thread, source: Source) -> None:
        del self._decoding[thread]
        self._scheduler.decoded(source, (), self._clock())
        self._n_hung_decoders += 1
        hung_s = _REPLACED_AFTER * _most_s(source)
        _log.error("a decoder has been hanging for %.0f s; replacing it", hung_s)
        if self._n_hung_decoders > _MAX_HUNG_DECODERS:
            self._lifecycle.failed(InternalError("too many decoders hang"))
        else:
            self._start_decoder(source.lane)


def _most_s(source: Source) -> float:
    return HEARING_TIMEOUT_S if source.lane is Lane.STREAMS else DECODE_TIMEOUT_S


def _timeout(source: Source) -> SidecarError:
    if source.lane is Lane.STREAMS:
        return DeviceError(
            f"a step of hearing this stream took over {HEARING_TIMEOUT_S:g} s, and the stream is "
            "gone: open another one, and push what you kept",
            kind="hearing_hangs",
        )
    hint = "" if isinstance(source.audio, PcmAudio) else ": is the file damaged?"
    message = f"decoding took over {DECODE_TIMEOUT_S:g} s{hint}"
    return BadAudio(message, kind="decode_timeout")
