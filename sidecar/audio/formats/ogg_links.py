"""The links of an Ogg file: found by reading all of its pages, before anything is decoded."""

from __future__ import annotations

from collections.abc import Generator

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.libsndfile import damaged
from sidecar.audio.formats.ogg_pages import Link, Page, codec_of, pages

# What a hostile file could be cut into; a sound one has a few.
_MAX_LINKS, _MAX_PLACES = 10_000, 500_000
_STEP_BYTES = 1 << 20


class LinkSearch:
    """Reads the pages of a file.

    Args:
        source: the file.
        findings: takes what is odd.
    """

    def __init__(self, source: AudioBytes, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._links: list[Link] = []
        # Streams that began together: the first one of sound is decoded, others pass by.
        self._serial: int | None = None
        self._is_begun = False
        self._other_serials: set[int] = set()
        self._n_places = 0
        self._n_skipped = 0
        self._end = 0

    def links(self) -> Generator[None, None, list[Link]]:
        """All links, in their order, step by step.

        Raises:
            BadAudio: ``corrupt``: there is none, or there are too many.
            OSError: the file cannot be read.
        """
        told = n_behind = 0
        for page in pages(self._source):
            if isinstance(page, int):
                self._end += page
                self._n_skipped += page
                n_behind = page
            else:
                self._end = page.end
                n_behind = 0
                self._take(page)
            if self._end - told >= _STEP_BYTES:
                told = self._end
                yield
        self._tell_what_is_odd(n_behind if self._links else 0)
        if not self._links:
            raise damaged("OGG", "no stream of sound begins in it")
        return self._links

    def _take(self, page: Page) -> None:
        if page.is_beginning:
            self._begin(page)
        if self._links and page.serial == self._serial:
            link = self._links[-1]
            n_places = len(link.places) + len(link.bodies)
            link.add(page)
            self._n_places += len(link.places) + len(link.bodies) - n_places
            self._is_begun = self._is_begun or not page.is_beginning
        elif page.serial not in self._other_serials:
            self._n_skipped += page.end - page.offset
        if len(self._links) > _MAX_LINKS or self._n_places > _MAX_PLACES:
            raise damaged("OGG", "it consists of too many pieces")

    def _begin(self, page: Page) -> None:
        """A stream begins: of the next link, or beside others of this one."""
        codec = codec_of(page)
        if self._is_begun:
            self._serial, self._is_begun = None, False
            self._other_serials.clear()
        if self._serial is None and codec is not None:
            self._serial = page.serial
            self._links.append(Link(codec, page, last_number=page.number - 1))
        elif len(self._other_serials) < _MAX_LINKS:
            self._other_serials.add(page.serial)

    def _tell_what_is_odd(self, n_behind: int) -> None:
        n_missing = sum(link.n_missing_pages for link in self._links)
        if self._n_skipped - n_behind or n_missing:
            self._findings.tell(
                "skipped_bytes",
                f"{self._n_skipped - n_behind} bytes of the OGG file are damaged or belong to no "
                f"stream of sound, and were left out; {n_missing} pages are missing",
                n_bytes=self._n_skipped - n_behind,
                n_missing_pages=n_missing,
            )
        cut = self._source.at(self._end - n_behind, 4) == b"OggS" if n_behind else False
        if cut or not all(link.is_ended for link in self._links):
            self._findings.tell(
                "missing_end",
                "the OGG file is truncated: a stream in it has no last page, or that is damaged; "
                "what precedes was decoded",
            )
        elif n_behind:
            self._findings.tell(
                "trailing_data",
                f"{n_behind} bytes behind the last page of the OGG file belong to nothing, and "
                "were left out",
                n_bytes=n_behind,
            )
