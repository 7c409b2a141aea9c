"""Puts the questions of finished jobs to the gallery of people."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from protocol.diarization import DiarizeParams
from protocol.errors import InternalError, OutOfMemory, SidecarError
from protocol.gallery_params import (
    EnrollParams,
    ExportPeopleParams,
    ForgetPersonParams,
    IdentifyParams,
    ImportPeopleParams,
    PeopleParams,
    PersonParams,
    RenamePersonParams,
    VerifyParams,
)
from protocol.gallery_reports import GalleryResult, IdentifyResult
from protocol.params import StoredEmbedding
from sidecar.config import Config
from sidecar.diarization.streaming import StreamStep
from sidecar.requests.jobs import Answer, Job
from sidecar.requests.outbox import Outbox
from sidecar.requests.questions import Desk, desk_of
from sidecar.requests.responses import Served

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from protocol.quality import Quality
    from sidecar.people.gallery import Gallery
    from sidecar.people.voices import Voice

_log = logging.getLogger(__name__)


class GalleryDesk:
    """Answers what ``Questions`` has; called by any number of threads.

    What reads the gallery's file waits for no change of it: each has a connection of its own.

    Args:
        config: says which file it is.
        outbox: knows which model serves.
    """

    def __init__(self, config: Config, outbox: Outbox) -> None:
        self._config = config
        self._outbox = outbox
        self._changes = _SharedGallery(self._open)
        # What is in memory is there but once, and no other process writes to it.
        self._lookups = self._changes if config.gallery is None else _SharedGallery(self._open)

    def ask(self, job: Job) -> Answer | SidecarError:
        """The answer to the question of ``job``, all of whose items are embedded."""
        try:
            return self._answer(job)
        except SidecarError as error:
            # Tracebacks hold the job, whose answer this becomes: a cycle.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        except MemoryError:
            return OutOfMemory("there is too little memory to answer this: ask for less at once")
        except Exception:  # noqa: BLE001 - one request fails, whatever it is; the process goes on
            _log.exception("the gallery failed in a way that it should not")
            return InternalError("the gallery failed inside; the log has the cause")

    def close(self) -> None:
        """Nothing more will be asked."""
        for gallery in {self._changes, self._lookups}:
            gallery.close()

    @property
    def _served(self) -> Served:
        served = self._outbox.served
        assert served is not None  # nobody is asked before
        return served

    def _answer(self, job: Job) -> Answer:
        # They import numpy.
        if isinstance(job.params, StreamStep):
            from sidecar.requests.stream_turns import stream_answer  # noqa: PLC0415

            return stream_answer(job, job.params, self._served, self._identify)
        if isinstance(job.params, DiarizeParams):
            from sidecar.requests.diarization import diarization_of  # noqa: PLC0415

            return diarization_of(job, job.params, self._served, self._identify)
        shared = self._changes if desk_of(job) is Desk.CHANGES else self._lookups
        with shared.asked() as gallery:
            return self._answer_of_gallery(job, gallery)

    def _identify(self, voice: Voice) -> IdentifyResult:
        stored = StoredEmbedding(b"", voice.fingerprint)
        with self._lookups.asked() as gallery:
            return gallery.identify(IdentifyParams(stored, top=1), voice, None)

    def _answer_of_gallery(  # noqa: PLR0911 - one for each method
        self, job: Job, gallery: Gallery
    ) -> GalleryResult:
        match job.params:
            case EnrollParams() as params:
                return gallery.enroll(params, list(self._voices(job)), _quality(job))
            case VerifyParams() as params:
                [voice] = self._voices(job)
                return gallery.verify(params, voice, _quality(job))
            case IdentifyParams() as params:
                [voice] = self._voices(job)
                return gallery.identify(params, voice, _quality(job))
            case PeopleParams() as params:
                return gallery.people(params)
            case PersonParams(id=person_id):
                return gallery.person(person_id)
            case RenamePersonParams(id=person_id, name=name):
                return gallery.rename(person_id, name)
            case ForgetPersonParams(id=person_id, print=print_id):
                return gallery.forget(person_id, print_id)
            case ExportPeopleParams() as params:
                return gallery.export(params)
            case ImportPeopleParams() as params:
                return gallery.import_(params)
        raise TypeError(f"{type(job.params).__name__} is no question for the gallery")

    def _open(self) -> Gallery:
        from sidecar.people.gallery import Gallery  # noqa: PLC0415

        served = self._served
        return Gallery(self._config.gallery, served.fingerprint, served.dim, served.calibration)

    def _voices(self, job: Job) -> Iterator[Voice]:
        """What was embedded for ``job``, or what it brought."""
        from sidecar.people.voices import Voice  # noqa: PLC0415

        for item in job.items:
            assert item.outcome is not None
            assert not isinstance(item.outcome, SidecarError)  # then there is no question
            speech_s = None if item.quality is None else item.quality.speech_s
            yield Voice(item.outcome.values, speech_s, self._served.fingerprint)
        yield from map(Voice.kept, _stored(job))


class _SharedGallery:
    """A gallery that is opened when it is first asked, and asked by one thread at a time."""

    def __init__(self, open_gallery: Callable[[], Gallery]) -> None:
        self._open = open_gallery
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None

    @contextlib.contextmanager
    def asked(self) -> Iterator[Gallery]:
        """It, for one question."""
        with self._lock:
            # What fails is tried again with the next one: a lock is let go, a disk has room again.
            if self._gallery is None:
                self._gallery = self._open()
            yield self._gallery

    def close(self) -> None:
        """Close it, where it was opened."""
        with self._lock:
            if self._gallery is not None:
                self._gallery.close()


def _stored(job: Job) -> tuple[StoredEmbedding, ...]:
    match job.params:
        case EnrollParams(embeddings=embeddings):
            return embeddings
        case VerifyParams(audio=StoredEmbedding() as stored):
            return (stored,)
        case IdentifyParams(audio=StoredEmbedding() as stored):
            return (stored,)
    return ()


def _quality(job: Job) -> Quality | None:
    """That of its audio; None: it brought embeddings."""
    return next((item.quality for item in job.items), None)
