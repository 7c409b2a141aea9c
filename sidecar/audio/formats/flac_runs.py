"""The frames of a FLAC file one after the other, and where they cease to follow one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.flac_checksums import crc_16
from sidecar.audio.formats.flac_frames import (
    MARKER,
    MAX_HEADER_BYTES,
    FrameHeader,
    StreamInfo,
    frame_headers,
    read_frame_header,
    read_metadata,
)

_CHUNK_BYTES = 1 << 16
_MIN_REACH_BYTES, _MAX_REACH_BYTES = 1 << 16, 1 << 24
# Headers that wait for the one that would follow them.
_MAX_PENDING = 10_000


class FlacRun:
    """Frames of one stream, each of which begins where the one before it ends.

    Args:
        source: the file.
        offset: where the first one lies.
        header: of the first one.
        info: what holds for all.

    Attributes:
        info: as above.
        offset: as above.
        first_sample: the place of the first one, as it states it itself.
        last_offset: where the last one lies that was found so far.
        last_sample: its first sample.
        end: the sample behind its last.
        is_done: no more follow.
    """

    def __init__(
        self, source: AudioBytes, offset: int, header: FrameHeader, info: StreamInfo
    ) -> None:
        self._source = source
        self._is_variable = header.is_variable
        self._scanned = offset + 1
        self._reach = min(
            max(_MIN_REACH_BYTES, info.max_block * info.channels * (info.bits + 1) // 8 + 1024),
            _MAX_REACH_BYTES,
        )
        self.info = info
        self.offset = self.last_offset = offset
        self.first_sample = self.last_sample = header.sample(info)
        self.end = self.first_sample + header.n_samples
        self.is_done = False

    @classmethod
    def at(
        cls, source: AudioBytes, offset: int, info: StreamInfo | None, *, is_entry: bool = False
    ) -> FlacRun | None:
        """The run that begins at ``offset``; what its frames state counts more than ``info``.

        None: there is no frame, or nothing says of which rate. ``is_entry``: it begins in the
        middle of the stream that ``info`` describes.
        """
        header = read_frame_header(source.at(offset, MAX_HEADER_BYTES))
        if header is None:
            return None
        known = info or StreamInfo(0, 0, 0, 0, 0, 0, 0)
        merged = replace(
            known,
            # Frames of a fixed size are counted in sizes of the first one.
            min_block=known.min_block if is_entry else header.n_samples,
            max_block=max(known.max_block, header.n_samples),
            sample_rate_hz=header.sample_rate_hz or known.sample_rate_hz,
            channels=header.channels,
            bits=header.bits or known.bits,
        )
        if not merged.sample_rate_hz or not merged.bits:
            return None
        return cls(source, offset, header, merged)

    def advance(self) -> None:
        """Look for the frames that follow in the next chunk of the file."""
        piece = self._source.at(self._scanned, _CHUNK_BYTES + MAX_HEADER_BYTES)
        for place, header in frame_headers(piece, _CHUNK_BYTES):
            if (
                header is not None
                and header.fits(self.info, is_variable=self._is_variable)
                and header.sample(self.info) == self.end
            ):
                self.last_offset, self.last_sample = self._scanned + place, self.end
                self.end += header.n_samples
        self._scanned += _CHUNK_BYTES
        self.is_done = (
            self._scanned >= self._source.n_bytes or self._scanned - self.last_offset > self._reach
        )

    def continues(self, before: FlacRun) -> bool:
        """Whether this is the same stream as ``before``, further on: some of it is missing."""
        return (
            self._is_variable == before._is_variable
            and (self.info.sample_rate_hz, self.info.channels, self.info.bits)
            == (before.info.sample_rate_hz, before.info.channels, before.info.bits)
            and self.first_sample > before.end
        )

    def is_cut(self) -> bool:
        """Whether the last frame ends nowhere before the file does, by its checksum."""
        crc = 0
        data = self._source.at(self.last_offset, self._reach)
        return all((crc := crc_16(data[place : place + 1], crc)) for place in range(len(data)))

    def has_trailing(self) -> bool:
        """Whether something follows the last frame, which is whole, up to the file's end."""
        n_bytes = self._source.n_bytes - self.last_offset
        if n_bytes > self._reach:
            return True
        data = self._source.at(self.last_offset, n_bytes)
        # Zeros do not change a checksum that is 0; a frame may end in some.
        kept = data.rstrip(b"\0")
        crc = crc_16(kept)
        n_zeros = next((n for n in range(3) if crc_16(bytes(n), crc) == 0), len(data))
        return len(kept) + n_zeros != len(data)


def next_run(source: AudioBytes, offset: int, before: FlacRun | None) -> Iterator[FlacRun | None]:
    """The first run at ``offset`` or behind it, if there is one; before it None for each step.

    It begins with a header of its own, or with two frames of which one follows the other. A single
    frame could be chance.
    """
    info = None if before is None else replace(before.info, n_samples=0)
    pending: dict[tuple[object, ...], int] = {}
    while offset < source.n_bytes:
        piece = source.at(offset, _CHUNK_BYTES + MAX_HEADER_BYTES)
        marker = piece.find(MARKER, 0, _CHUNK_BYTES + len(MARKER) - 1)
        for place, header in frame_headers(piece, _CHUNK_BYTES):
            if 0 <= marker < place:
                break
            if header is None:
                continue
            start = pending.get(_key(header, header.number))
            if start is not None:
                run = FlacRun.at(source, start, info)
                if run is not None:
                    yield run
                    return
            if len(pending) < _MAX_PENDING:
                step = header.n_samples if header.is_variable else 1
                pending.setdefault(_key(header, header.number + step), offset + place)
        while marker >= 0:
            metadata = read_metadata(source, offset + marker)
            run = None if metadata is None else FlacRun.at(source, metadata[1], metadata[0])
            if run is not None:
                yield run
                return
            marker = piece.find(MARKER, marker + 1, _CHUNK_BYTES + len(MARKER) - 1)
        offset += _CHUNK_BYTES
        yield None


def _key(header: FrameHeader, number: int) -> tuple[object, ...]:
    """What a frame has in common with the one whose number is ``number``."""
    return (header.is_variable, header.sample_rate_hz, header.channels, header.bits, number)
