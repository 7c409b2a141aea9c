"""A file at a URL: resumed where it broke off, by a later process too, and asked for again."""

from __future__ import annotations

import http
import logging
import queue
import random
import time
import urllib.error
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.store.assets import (
    PART_SUFFIX,
    POLL_S,
    AssetFile,
    Interrupted,
    Patience,
    SourceFailed,
    Watch,
    require_room,
    sha256_of,
)
from sidecar.store.https_exchange import CHUNK_BYTES, Exchange, Head, failure
from sidecar.store.shared_folder import patiently

_log = logging.getLogger(__name__)

# Before each further try, as long as the last one brought next to nothing; about a half more or
# less, so that many machines do not come back in step.
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_MAX_RETRY_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class HttpsFile:
    """A file at a URL, through the proxy of the environment or the system where there is one.

    ``answer_limit_s`` is for everything before the first byte: the name, every address, TLS, the
    redirects. A blocked host costs this much before the next source is asked. ``token`` is what the
    user is known by at the URL's own origin.
    """

    url: str
    answer_limit_s: float = 8.0
    stall_limit_s: float = 30.0
    token: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The host."""
        return urllib.parse.urlsplit(self.url).netloc.rpartition("@")[2]

    def transfer_bytes(self, file: AssetFile) -> int:
        """The file itself."""
        return file.n_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """GET the file, or what is missing of it. See ``Source.fetch``."""
        # The hash in its name: whichever source began it, this one can go on.
        part = work / f"{file.name}.{file.sha256[:16]}{PART_SUFFIX}"
        download = _Download(self, file, part, watch)
        download.complete()
        if download.was_resumed and sha256_of(part) != file.sha256:
            _log.warning("%s is damaged; it is fetched from its beginning", part)
            patiently(part.unlink)
            _Download(self, file, part, watch).complete()
        return part


class _Download:
    """Brings ``part``, which may hold the file's beginning, to its end. Whole is not yet right."""

    def __init__(self, source: HttpsFile, file: AssetFile, part: Path, watch: Watch) -> None:
        self._source = source
        self._file = file
        self._part = part
        self._watch = watch
        self._n_bytes = part.stat().st_size if part.exists() else 0
        self._may_resume = self._n_bytes < file.max_bytes
        self._has_answered = False
        self.was_resumed = False

    def complete(self) -> None:
        """Ask until the file has its length; see ``Source.fetch``."""
        n_futile = 0
        last: Interrupted | None = None
        patience = self._new_patience()
        while True:
            n_bytes = self._n_bytes
            try:
                self._ask(patience)
            except Interrupted as interruption:
                last = interruption
                n_futile = 1 if self._n_bytes - n_bytes >= CHUNK_BYTES else n_futile + 1
                self._pause(n_futile, interruption)
            except SourceFailed as failed:
                if last is None or self._has_answered:
                    raise
                # That its time is over says less than what went wrong before.
                raise SourceFailed(f"{last.reason} (tried {n_futile} times)") from failed
            else:
                return
            # Tries that were never answered share the time that one of them has.
            if self._has_answered:
                patience = self._new_patience()

    def _new_patience(self) -> Patience:
        return Patience(self._source.answer_limit_s, self._source.stall_limit_s)

    def _pause(self, n_futile: int, interruption: Interrupted) -> None:
        if n_futile > len(_PAUSES_S):
            raise SourceFailed(f"{interruption.reason} (tried {n_futile} times)") from interruption
        if interruption.retry_after_s > _MAX_RETRY_AFTER_S:
            asked = f"it asks for a pause of {interruption.retry_after_s:.0f} s"
            raise SourceFailed(f"{interruption.reason}; {asked}") from interruption
        jitter = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        pause_s = max(_PAUSES_S[n_futile - 1] * jitter, interruption.retry_after_s)
        _log.info("%s: %s; again in %.1f s", self._source.name, interruption.reason, pause_s)
        end_s = time.perf_counter() + pause_s
        while (left_s := end_s - time.perf_counter()) > 0:
            self._watch(self._n_bytes)
            time.sleep(min(left_s, POLL_S))

    def _ask(self, patience: Patience) -> None:
        start = self._n_bytes if self._may_resume else 0
        if start == self._file.n_bytes and self._file.is_size_exact:
            self.was_resumed = True  # by a process that was killed before it could move it
            return
        require_room(self._part.parent, self._file.n_bytes - start)
        exchange = Exchange(self._source.url, start, self._source.token, self._source.stall_limit_s)
        exchange.start()
        try:
            self._take(exchange, start, patience)
        finally:
            exchange.abandoned.set()

    def _take(self, exchange: Exchange, asked_from: int, patience: Patience) -> None:
        head = self._next(exchange, patience, 0)
        assert isinstance(head, Head)
        self._require_fit(head, asked_from)
        start = head.start or 0
        self.was_resumed |= start > 0
        limit = self._file.max_bytes if head.n_bytes is None else head.n_bytes
        with patiently(lambda: self._part.open("ab" if start else "wb")) as out:
            self._n_bytes = start
            while self._n_bytes < limit:
                chunk = self._next(exchange, patience, self._n_bytes - start)
                assert isinstance(chunk, bytes)
                if not chunk:
                    break
                # On to the system at once: it keeps what a killed process wrote.
                out.write(chunk[: limit - self._n_bytes])
                out.flush()
                self._n_bytes = min(limit, self._n_bytes + len(chunk))
        expected = self._file.n_bytes if self._file.is_size_exact else head.n_bytes or 0
        if self._n_bytes < expected:
            raise Interrupted(f"it broke off after {self._n_bytes:,} of {expected:,} bytes")

    def _require_fit(self, head: Head, asked_from: int) -> None:
        file = self._file
        is_whole = head.status == http.HTTPStatus.OK
        is_rest = head.status == http.HTTPStatus.PARTIAL_CONTENT and head.start == asked_from > 0
        if not is_whole and not is_rest:
            reason = f"the server answered {head.status}"
            if not asked_from:
                raise SourceFailed(reason)
            self._may_resume = False
            raise Interrupted(f"{reason} when asked to go on at byte {asked_from:,}")
        # What is there stays: an answer of another length is another file.
        is_other = file.is_size_exact and head.n_bytes not in {None, file.n_bytes}
        if is_other or (head.n_bytes or 0) > file.max_bytes:
            raise SourceFailed(f"it offers {head.n_bytes:,} bytes instead of {file.n_bytes:,}")

    def _next(self, exchange: Exchange, patience: Patience, n_come: int) -> Head | bytes:
        while True:
            self._watch(self._n_bytes)
            patience.check(n_come)
            try:
                item = exchange.items.get(timeout=POLL_S)
            except queue.Empty:
                continue
            self._has_answered |= isinstance(item, (Head, urllib.error.HTTPError))
            if isinstance(item, Exception):
                raise failure(item, self._source.url) from item
            return item
