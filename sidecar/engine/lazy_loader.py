"""A network that is loaded, by a thread of its own, only when it is needed. Imports no numpy."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Generic, Protocol, TypeVar

from protocol.errors import ModelUnavailable
from protocol.reports import Progress
from sidecar.audio.waveform import Decoded

_log = logging.getLogger(__name__)

_Network = TypeVar("_Network")
_Network_co = TypeVar("_Network_co", covariant=True)

# Where it could not be had, it is tried again for whoever needs it, but not at each request: pip
# takes a processor for seconds to find that there is no network.
RETRY_AFTER_S = 30.0


class Open(Protocol[_Network_co]):
    """Finds a network on the disk, or fetches it, and loads it."""

    def __call__(
        self,
        before_fetch: Callable[[], None],
        should_stop: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> _Network_co:
        """The network.

        Args:
            before_fetch: is called first where it has to be fetched, which takes long.
            should_stop: asked several times a second; True ends a fetch.
            on_progress: how far a fetch is.

        Raises:
            ModelUnavailable: it cannot be had.
        """


class State(enum.Enum):
    """How far it is."""

    IDLE = enum.auto()
    LOADING = enum.auto()
    FETCHING = enum.auto()
    READY = enum.auto()
    FAILED = enum.auto()


class LazyLoader(Generic[_Network]):
    """A network, from the moment on when somebody asks for it; any thread may.

    Args:
        open_network: what is run, in a thread of its own.
        should_stop: whether the process ends.
        does: what it does, such as ``hears speech``.
        clock: gives seconds, such as ``time.perf_counter``.

    Attributes:
        on_change: called by the loading thread whenever something has changed.
        network: it, once it is there.
    """

    def __init__(
        self,
        open_network: Open[_Network],
        should_stop: Callable[[], bool],
        does: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._open = open_network
        self._should_stop = should_stop
        self._does = does
        self._clock = clock
        self._changed = threading.Condition()
        self._state = State.IDLE
        self._failure: ModelUnavailable | None = None
        self._failed_at = 0.0
        self._thread: threading.Thread | None = None
        self.on_change: Callable[[], None] = lambda: None
        self.network: _Network | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it is there, or cannot be had."""
        return self._state in {State.READY, State.FAILED}

    @property
    def is_loading(self) -> bool:
        """Whether it is there in a moment; what has to be fetched first is not."""
        return self._state is State.LOADING

    def begin(self, on_progress: Callable[[Progress], None] = lambda _progress: None) -> None:
        """Load it, unless that was begun before; ``on_progress`` is told how far a fetch is."""
        with self._changed:
            if self._state is State.IDLE:
                self._start(on_progress)

    def need(self) -> None:
        """Load it, unless that was begun before; again, where it failed a while ago."""
        with self._changed:
            has_failed = self._state is State.FAILED
            if self._state is State.IDLE or (
                has_failed and self._clock() - self._failed_at >= RETRY_AFTER_S
            ):
                self._start(lambda _progress: None)

    def loaded(self) -> _Network:
        """It, once it is settled; raises ``ModelUnavailable`` where it cannot be had."""
        if self.network is not None:
            return self.network
        failure = self._failure
        assert failure is not None
        # One of its own for each request: a traceback holds the audio.
        raise ModelUnavailable(failure.message, failure.kind, **failure.details)

    def wait(self) -> _Network:
        """Wait until it is there.

        Raises:
            ModelUnavailable: it cannot be had, or the process ends.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.is_settled or self._failure is not None)
        return self.loaded()

    def awaited(self) -> Generator[Decoded, None, _Network]:
        """It, for who decodes; nothing is done of the audio before it is there.

        Raises:
            ModelUnavailable: it cannot be had.
        """
        yield from self.settling()
        return self.loaded()

    def settling(self) -> Generator[Decoded, None, None]:
        """Nothing is done of the audio before it is there, or cannot be had."""
        self.need()
        while not self.is_settled:
            yield Decoded(None, until=lambda: self.is_settled)

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, if there is one."""
        with self._changed:  # whoever has it starts the thread
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _start(self, on_progress: Callable[[Progress], None]) -> None:
        self._state, self._failure = State.LOADING, None
        self._thread = threading.Thread(
            target=self._load, args=(on_progress,), name="network loader", daemon=True
        )
        self._thread.start()

    def _load(self, on_progress: Callable[[Progress], None]) -> None:
        try:
            self.network = self._open(self._fetching, self._should_stop, on_progress)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests without it go on
            failure = self._as_unavailable(error)
            if self._should_stop():
                # Whose audio waits is answered by the end, not by what that did to the fetch.
                with self._changed:
                    self._failure = failure
                    self._changed.notify_all()
                return
            self._failure, self._failed_at = failure, self._clock()
            _log.warning("the model that %s is not there: %s", self._does, failure.message)
            self._enter(State.FAILED)
        else:
            self._enter(State.READY)

    def _fetching(self) -> None:
        self._enter(State.FETCHING)

    def _enter(self, state: State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
        self.on_change()

    def _as_unavailable(self, error: Exception) -> ModelUnavailable:
        if isinstance(error, ModelUnavailable):
            return error
        if not isinstance(error, (ImportError, OSError)):
            _log.error("loading the model that %s failed inside", self._does, exc_info=error)
        return ModelUnavailable(f"the model that {self._does} cannot be loaded: {error}")
