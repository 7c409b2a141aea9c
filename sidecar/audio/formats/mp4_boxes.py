"""The outermost boxes of MP4 files and their kin. Format: ISO/IEC 14496-12, section 4.2."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.wav_chunks import is_name

_MAX_BOXES = 100_000


@dataclass(frozen=True, slots=True)
class _Boxes:
    """What the boxes tell.

    Attributes:
        n_movies: how many of them describe a recording; a file has one.
        end: where the last whole one ends, as a file offset.
        n_missing: how many bytes the one behind it lacks; 0: none follows.
    """

    n_movies: int
    end: int
    n_missing: int


def check_mp4(source: AudioBytes, format_name: str, findings: Findings) -> None:
    """Tell what is odd about the boxes of an MP4, behind which FFmpeg does not look.

    Raises:
        BadAudio: ``truncated``: its index is missing, or it is several files.
    """
    boxes = _read_boxes(source)
    if boxes.n_movies > 1:
        raise BadAudio(
            f"the {format_name} file is {boxes.n_movies} files that were joined, of which players "
            "play the first: send them one by one",
            kind="truncated",
            format=format_name,
        )
    if boxes.n_missing and boxes.n_movies == 0:
        raise BadAudio(
            f"the {format_name} file is truncated: {boxes.n_missing} bytes are missing, and with "
            "them what says how to decode the others; send the whole file",
            kind="truncated",
            format=format_name,
            missing_bytes=boxes.n_missing,
        )
    n_behind = source.n_bytes - boxes.end
    if boxes.n_missing:
        findings.tell(
            "missing_end",
            f"the {format_name} file is truncated: {boxes.n_missing} bytes are missing",
            missing_bytes=boxes.n_missing,
        )
    elif n_behind:
        findings.tell(
            "trailing_data",
            f"{n_behind} bytes behind the last box of the {format_name} file belong to nothing, "
            "and were left out",
            n_bytes=n_behind,
        )


def _read_boxes(source: AudioBytes) -> _Boxes:
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
            return _Boxes(n_movies, offset, offset + n_bytes - source.n_bytes)
        n_movies += header[4:8] == b"moov"
        offset += n_bytes
    return _Boxes(n_movies, offset, 0)
