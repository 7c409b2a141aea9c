"""Ogg files: each link of a chain is shown to libsndfile as a file of its own.

Only Vorbis is entered. Opus is not: a decoder that begins in the middle of speech differs by some
thousandths, for many seconds, from one that has heard all.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Sequence

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes, Piece
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.flac_file import FlacFile
from sidecar.audio.formats.joined import as_first
from sidecar.audio.formats.libsndfile import Sound
from sidecar.audio.formats.ogg_links import LinkSearch
from sidecar.audio.formats.ogg_pages import Link, Page, pages, with_checksum
from sidecar.audio.formats.recording import Block, Recording, read_blocks, stopped_early

# The longest header of a link that is entered.
_MAX_HEADER_BYTES = 1 << 20
# Identification, comment and setup; then the audio begins on a page of its own.
_N_VORBIS_HEADERS = 3
# Opus decodes to this rate, whatever was recorded: what the header states is for information.
_OPUS_RATE_HZ = 48_000
_OPUS_RATE_OFFSET = 12
# In the first packet of a FLAC, the native header follows a name, a version and a count.
_FLAC_OFFSET, _FLAC_BYTES = 9, 42


def open_ogg(
    source: AudioBytes, findings: Findings
) -> Generator[None, None, tuple[OggFile | FlacFile | None, AudioBytes]]:
    """Open the Ogg file that ``source`` is, step by step; None: it has another codec.

    Beside it, what of the file is sound.

    Raises:
        BadAudio: ``corrupt``, ``decode_timeout``.
        OSError: the file cannot be read.
    """
    links = yield from LinkSearch(source, findings).links()
    codecs = {link.codec for link in links}
    sound = source.shown(*(place for link in links for place in link.places))
    if codecs <= {"Vorbis", "Opus"}:
        return OggFile(source, links, findings), sound
    if codecs == {"FLAC"}:
        pieces = [piece for link in links for piece in _native_flac(source, link)]
        flac = FlacFile(source.shown(*pieces), findings)
        flac.format_name = "OGG"
        return flac, sound
    return None, sound


class OggFile(Recording):
    """A chain of one or more links of Vorbis or Opus.

    Args:
        source: the file.
        links: of one or more.
        findings: takes what is odd; what the pages tell is told.

    Raises:
        BadAudio: ``corrupt``: libsndfile does not understand the first link.
        OSError: the file cannot be read.
    """

    format_name = "OGG"

    def __init__(self, source: AudioBytes, links: Sequence[Link], findings: Findings) -> None:
        self._source = source
        self._links = links
        self.findings = findings
        self.codec = " and ".join(sorted({link.codec for link in links}))
        self._sound = self._opened(links[0])
        self.sample_rate_hz, self.channels = self._sound.sample_rate_hz, self._sound.channels
        self.n_frames: int | None = self._sound.n_frames if len(links) == 1 else None
        self._first_link = self._first_frame = 0

    def measure(self) -> Generator[None, None, None]:
        """See ``Recording``."""
        n_seconds = 0.0
        for link in self._links:
            sound = self._opened(link)
            n_seconds += sound.n_frames / sound.sample_rate_hz
            sound.close()
            yield
        self.n_frames = round(n_seconds * self.sample_rate_hz)

    def skip_to(self, frame: int) -> int:
        """See ``Recording``."""
        start = 0
        for index, link in enumerate(self._links):
            sound = self._sound if index == 0 else self._opened(link)
            if sound.sample_rate_hz != self.sample_rate_hz:
                sound.close()
                break
            self._read_on(index, sound, start)
            is_last = index == len(self._links) - 1
            if frame < start + sound.n_frames or is_last or link.n_missing_pages:
                self._enter(link, min(frame - start, sound.n_frames - 1), start)
                break
            start += sound.n_frames
        return self._first_frame

    def _enter(self, link: Link, sample: int, start: int) -> None:
        """Read ``link``, which begins at ``start``, from shortly before ``sample`` on."""
        if link.codec != "Vorbis" or sample <= 0:
            return
        row = self._source.shown(*link.places)
        entry = find_vorbis_entry(row, sample)
        if entry is None:
            return
        header_end, page, first_samples = entry
        try:
            shown = row.shown(range(header_end), range(page.offset, row.n_bytes))
            sound = Sound(shown, self.format_name)
        except BadAudio as error:
            if error.kind != "corrupt":
                raise
            return
        first_sample = self._sound.n_frames - sound.n_frames
        layout = (sound.sample_rate_hz, sound.channels)
        is_right = layout == (self._sound.sample_rate_hz, self._sound.channels)
        if is_right and first_sample in first_samples:
            self._read_on(self._first_link, sound, start + first_sample)
        else:
            sound.close()

    def _read_on(self, index: int, sound: Sound, first_frame: int) -> None:
        """``blocks`` will begin in that link, which ``sound`` decodes, at that frame."""
        if sound is not self._sound:
            self._sound.close()
        self._sound, self._first_link, self._first_frame = sound, index, first_frame

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        frame = self._first_frame
        for link in self._links[self._first_link :]:
            if link is not self._links[self._first_link]:
                self._sound.close()
                self._sound = self._opened(link)
            sound = self._sound
            for block in as_first(
                self._decoded(link, sound, frame),
                sound.sample_rate_hz,
                self.sample_rate_hz,
                self.channels,
            ):
                frame += len(block)
                yield block

    def close(self) -> None:
        """See ``Recording``."""
        self._sound.close()

    def _opened(self, link: Link) -> Sound:
        if link.codec != "Opus":
            return Sound(self._source.shown(*link.places), self.format_name)
        first = link.first
        rest: list[Piece] = [range(first.end, link.places[0].stop), *link.places[1:]]
        page = bytearray(self._source.at(first.offset, first.end - first.offset))
        struct.pack_into("<I", page, first.body - first.offset + _OPUS_RATE_OFFSET, _OPUS_RATE_HZ)
        return Sound(self._source.shown(with_checksum(bytes(page)), *rest), self.format_name)

    def _decoded(self, link: Link, sound: Sound, first_frame: int) -> Iterator[Block]:
        n_read, end = first_frame, first_frame + sound.n_frames
        for block in read_blocks(sound, n_read, end):
            n_read += len(block)
            yield block
        # Where pages are missing, so are samples; that was told.
        if n_read < end and not link.n_missing_pages:
            raise stopped_early(self.format_name, n_read, end)


def _native_flac(source: AudioBytes, link: Link) -> list[Piece]:
    """What a link of FLAC is without Ogg: its header, then the pages that hold frames."""
    header = bytearray(source.at(link.first.body + _FLAC_OFFSET, _FLAC_BYTES))
    header[4:5] = b"\x80"  # STREAMINFO is the last block of metadata now
    bodies = link.bodies
    n_header_pages = next(
        (
            index
            for index, body in enumerate(bodies)
            if source.at(body.start, 2) in (b"\xff\xf8", b"\xff\xf9")
        ),
        len(bodies),
    )
    return [bytes(header), *bodies[n_header_pages:]]


def find_vorbis_entry(source: AudioBytes, sample: int) -> tuple[int, Page, range] | None:
    """Where to enter a Vorbis file for ``sample``; None if it must be read from its beginning.

    Reads the file as far as that. All pages up to the entry are sound: behind one that is not, the
    decoder's count and that of the pages part.

    Returns:
        Where the audio begins; the page to go on with; and the samples of which one is the first
        that will be decoded there.
    """
    sound_pages = _pages_in_order(source)
    header_end = _header_end(sound_pages)
    if header_end is None:
        return None
    # The decoder trims the last page by what it knows from the one before: an entry needs both.
    entry = candidate = None
    n_before = 0
    for page in sound_pages:
        entry = candidate or entry
        candidate = None
        if page.granule > sample:
            break
        if not page.is_continued and page.granule >= n_before > 0:
            candidate = page, range(n_before, page.granule + 1)
        n_before = max(n_before, page.granule)
    return None if entry is None else (header_end, *entry)


def _pages_in_order(source: AudioBytes) -> Iterator[Page]:
    """The pages of ``source``, as long as they are of one stream, and none is missing."""
    following: tuple[int, int] | None = None
    for page in pages(source):
        if isinstance(page, int) or page.is_beginning != (following is None):
            return
        if following not in (None, (page.serial, page.number)):
            return
        following = page.serial, page.number + 1
        yield page


def _header_end(sound_pages: Iterator[Page]) -> int | None:
    """The file offset of the page with which the audio begins; takes the pages before it."""
    n_packets = 0
    for page in sound_pages:
        n_packets += page.n_packets
        if n_packets >= _N_VORBIS_HEADERS or page.end > _MAX_HEADER_BYTES:
            is_end = n_packets == _N_VORBIS_HEADERS and page.end <= _MAX_HEADER_BYTES
            return page.end if is_end else None
    return None
