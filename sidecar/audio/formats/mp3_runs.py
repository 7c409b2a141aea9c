"""The frames of an MP3 file, found one by one before any is decoded.

A decoder that looks for them itself stops at what lies between them, or believes a wrong count.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Generator
from dataclasses import dataclass, field

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.libsndfile import damaged
from sidecar.audio.formats.mp3_frames import HEADER_BYTES, Layout, Tag, layout_of
from sidecar.audio.formats.tags import tag_bytes_at

_CHUNK_BYTES = 1 << 18
# A frame counts as one if others follow it: among a few MB of anything else there are single ones.
_CHAIN_FRAMES = 4
_LOOK_AHEAD_BYTES = 1 << 14
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_TAG_NAMES = (b"Xing", b"Info")
# What may follow the last frame.
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
# What a hostile file could be cut into.
_MAX_PIECES = 100_000
MARK_FRAMES = 256


@dataclass(slots=True)
class Mp3Run:
    """Frames of one layout that one decoder decodes.

    Attributes:
        layout: what they have in common.
        places: where they lie, as file offsets; neighbours are one.
        n_frames: how many there are.
        n_bytes: how long they are in all.
        n_cut: how many bytes of the last one are missing.
        marks: where every ``MARK_FRAMES``-th one lies in the row that they make.
    """

    layout: Layout
    places: list[range] = field(default_factory=list)
    n_frames: int = 0
    n_bytes: int = 0
    n_cut: int = 0
    marks: array[int] = field(default_factory=lambda: array("q"))

    @property
    def n_samples(self) -> int:
        """How many a decoder makes of all frames."""
        return self.n_frames * self.layout.frame_samples

    def add(self, start: int, n_frames: int, end: int) -> None:
        """Frames that lie one behind the other."""
        if not n_frames:
            return
        if self.places and self.places[-1].stop == start:
            self.places[-1] = range(self.places[-1].start, end)
        else:
            self.places.append(range(start, end))
        self.n_frames += n_frames
        self.n_bytes += end - start


class FrameSearch:
    """Reads the headers of all frames of a file.

    Args:
        source: the file.
        findings: takes what is odd.

    Attributes:
        n_front: samples to drop at the beginning: the encoder has put them there.
        n_behind: the same, at the end.
    """

    def __init__(self, source: AudioBytes, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._runs: list[Mp3Run] = []
        self._n_skipped = self._n_pieces = 0
        # Frames themselves that state something of those that follow; none is decoded.
        self._tags: list[Tag] = []
        self.n_front = self.n_behind = 0

    def runs(self) -> Generator[None, None, list[Mp3Run]]:
        """All runs, in their order, step by step.

        Raises:
            BadAudio: ``corrupt``: there is none, or there are too many; ``decode_timeout``.
            OSError: the file cannot be read.
        """
        end = 0
        while True:
            found = yield from self._next_frame(end)
            if found is None:
                break
            start, layout, n_tag_bytes = found
            self._n_skipped += start - end - n_tag_bytes
            end = yield from self._read_run(start, layout)
            self._n_pieces += 1
            if self._n_pieces > _MAX_PIECES:
                raise damaged("MP3", "it consists of too many pieces")
        self._runs = [run for run in self._runs if run.n_frames]
        if not self._runs:
            raise damaged("MP3", "there are no frames in it")
        self._tell_what_is_odd(end)
        if len(self._runs) == len(self._tags) == 1 and self._n_missing() == 0:
            [tag], [run] = self._tags, self._runs
            is_true = tag.n_frames in (None, run.n_frames, run.n_frames + 1)
            self.n_behind = tag.n_behind if is_true else 0
        return self._runs

    def _next_frame(self, offset: int) -> Generator[None, None, tuple[int, Layout, int] | None]:
        """The next frame at ``offset`` or behind it: where, its layout, and the tags' bytes before.

        None: there is none.
        """
        n_tag_bytes = 0
        current = self._runs[-1].layout if self._runs else None
        while offset < self._source.n_bytes:
            tag_bytes = tag_bytes_at(self._source, offset)
            if tag_bytes:
                offset += tag_bytes
                n_tag_bytes += tag_bytes
                continue
            piece = self._source.at(offset, _CHUNK_BYTES + _LOOK_AHEAD_BYTES)
            is_last = offset + len(piece) >= self._source.n_bytes
            for match in _SYNC.finditer(piece, 0, min(len(piece), _CHUNK_BYTES + 1)):
                layout = _chained(piece, match.start(), current, is_last=is_last)
                if layout is not None:
                    return offset + match.start(), layout, n_tag_bytes
            offset += _CHUNK_BYTES
            yield
        return None

    def _read_run(self, start: int, layout: Layout) -> Generator[None, None, int]:
        """Read the frames from ``start`` on, as long as they follow one another; where they end."""
        n_bytes, tag_offset = self._source.n_bytes, layout.tag_offset
        if not self._runs or self._runs[-1].layout is not layout:
            self._runs.append(Mp3Run(layout))
        run, n_frames = self._runs[-1], 0
        chunk, base, place = b"", start, 0
        while True:
            if place + _LOOK_AHEAD_BYTES > len(chunk) and base + len(chunk) < n_bytes:
                base += place
                chunk, place = self._source.at(base, _CHUNK_BYTES), 0
                yield
            frame_bytes = layout.frame_bytes(chunk[place : place + HEADER_BYTES])
            end = base + place
            if not frame_bytes:
                break
            if end + frame_bytes > n_bytes:
                # The last one. What is there of it still says how the one before it fades.
                n_frames += 1
                run.n_cut = end + frame_bytes - n_bytes
                end = n_bytes
                break
            if chunk[place + tag_offset : place + tag_offset + 4] in _TAG_NAMES or end == start:
                tag = layout.tag(chunk[place : place + frame_bytes])
                if tag is not None:
                    run.add(start, n_frames, end)
                    if not self._tags and len(self._runs) == 1 and run.n_frames == 0:
                        self.n_front = tag.n_front
                    self._tags.append(tag)
                    place += frame_bytes
                    start, n_frames = base + place, 0
                    continue
            if (run.n_frames + n_frames) % MARK_FRAMES == 0:
                run.marks.append(run.n_bytes + end - start)
            n_frames += 1
            place += frame_bytes
        run.add(start, n_frames, end)
        return end

    def _tell_what_is_odd(self, end: int) -> None:
        if self._n_skipped > 0:
            self._findings.tell(
                "skipped_bytes",
                f"{self._n_skipped} bytes of the MP3 file are no frames, and were left out",
                n_bytes=self._n_skipped,
            )
        n_missing = self._n_missing()
        if n_missing or self._runs[-1].n_cut:
            n_frames = sum(run.n_frames for run in self._runs)
            what = "its last frame is cut"
            if n_missing:
                what = f"{n_missing} of the frames are missing that its header promises"
            self._findings.tell(
                "missing_end",
                f"the MP3 file is truncated: {what}; {n_frames} frames were decoded",
                present_frames=n_frames,
                promised_frames=n_frames + n_missing,
            )
            return
        offset = end
        while n_tag_bytes := tag_bytes_at(self._source, offset):
            offset += n_tag_bytes
        n_behind = self._source.n_bytes - offset
        if n_behind > 0:
            self._findings.tell(
                "trailing_data",
                f"{n_behind} bytes behind the last frame of the MP3 file belong to nothing, and "
                "were left out",
                n_bytes=n_behind,
            )

    def _n_missing(self) -> int:
        """How many frames fewer there are than the tags state; some writers count those as well."""
        stated = sum(tag.n_frames or 0 for tag in self._tags)
        n_frames = sum(run.n_frames for run in self._runs)
        return 0 if stated <= n_frames + len(self._tags) else stated - n_frames


def _chained(piece: bytes, place: int, current: Layout | None, *, is_last: bool) -> Layout | None:
    """The layout of the frame at ``place``, if others follow it; or the end of the file does."""
    layout = layout_of(piece[place : place + HEADER_BYTES])
    if layout is None:
        return None
    n_frames = 0
    while n_frames < _CHAIN_FRAMES:
        frame_bytes = layout.frame_bytes(piece[place : place + HEADER_BYTES])
        if not frame_bytes or place + frame_bytes > len(piece):
            break
        n_frames += 1
        place += frame_bytes
    at_end = (is_last and len(piece) - place < HEADER_BYTES) or piece.startswith(_TAGS, place)
    is_sure = n_frames == _CHAIN_FRAMES or (n_frames > 0 and at_end and layout is current)
    return layout if is_sure or (n_frames > 1 and at_end) else None


def looks_like_mp3(source: AudioBytes, offset: int) -> bool:
    """Whether frames begin at ``offset`` or not far behind it."""
    piece = source.at(offset, _CHUNK_BYTES)
    is_last = offset + len(piece) >= source.n_bytes
    return any(
        _chained(piece, match.start(), None, is_last=is_last) for match in _SYNC.finditer(piece)
    )
