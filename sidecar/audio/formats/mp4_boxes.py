"""The outermost boxes of MP4 files and their kin. Format: ISO/IEC 14496-12, section 4.2."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.wav_chunks import is_name

_MAX_BOXES = 100_000


@dataclass(frozen=True, slots=True)
class Mp4Boxes:
    """What the boxes tell.

    Attributes:
        n_movies: how many of them describe a recording; a file has one.
        end: where the last whole one ends, as a file offset.
        n_missing: how many bytes the one behind it lacks; 0: none follows.
    """

    n_movies: int
    end: int
    n_missing: int


def read_mp4(source: AudioBytes) -> Mp4Boxes:
    """Read the outermost boxes of the MP4 that ``source`` is."""
    offset = n_movies = 0
    for _ in range(_MAX_BOXES):
        header = source.at(offset, 16)
        if len(header) < 8 or not is_name(header[4:8]):
            break
        n_bytes = int.from_bytes(header[:4], "big")
        if n_bytes == 1:
            n_bytes = int.from_bytes(header[8:], "big")
        elif n_bytes == 0:
            n_bytes = source.n_bytes - offset  # to the end
        if n_bytes < 8:
            break
        if offset + n_bytes > source.n_bytes:
            return Mp4Boxes(n_movies, offset, offset + n_bytes - source.n_bytes)
        n_movies += header[4:8] == b"moov"
        offset += n_bytes
    return Mp4Boxes(n_movies, offset, 0)
