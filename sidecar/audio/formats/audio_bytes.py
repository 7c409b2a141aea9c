"""The bytes of a file in the order in which they are to be decoded: pieces of it, and of our own.

A tag in front is left out this way, junk between two frames, or all of Ogg around a FLAC; and a
header that states something wrong is replaced by one that does not.
"""

from __future__ import annotations

import io
import itertools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeAlias

from protocol.errors import BadAudio

# Bytes, or where they lie.
Piece: TypeAlias = bytes | range
# A file no longer than this, eight seconds of plain WAV, is read once rather than piece by piece.
_SHORT_BYTES = 1 << 18


class AudioBytes:
    """Pieces of a file, read by their offset in the row that they make.

    Args:
        file: its position is moved, and does not matter; stays open.
        is_given_up: whether nobody wants it any more; asked at every read.
        pieces: bytes, or ranges of the file's own offsets; default: the whole file.

    Attributes:
        n_bytes: how many there are in all.
    """

    def __init__(
        self,
        file: io.BufferedIOBase,
        is_given_up: Callable[[], bool],
        pieces: Sequence[Piece] | None = None,
    ) -> None:
        self._file = file
        self._is_given_up = is_given_up
        given = _whole(file) if pieces is None else pieces
        self._pieces = [piece for piece in given if len(piece) > 0]
        self._ends = list(itertools.accumulate(len(piece) for piece in self._pieces))
        self.n_bytes = self._ends[-1] if self._ends else 0

    def at(self, offset: int, n_bytes: int) -> bytes:
        """At most ``n_bytes`` from ``offset`` on; fewer only where there are no more.

        Raises:
            BadAudio: ``decode_timeout``, once it is given up.
            OSError: the file cannot be read.
        """
        self.check()
        parts: list[bytes] = []
        for piece in self._between(offset, offset + n_bytes):
            if isinstance(piece, bytes):
                parts.append(piece)
                continue
            self._file.seek(piece.start)
            parts.append(self._file.read(len(piece)))
            if len(parts[-1]) < len(piece):
                break  # the file has become shorter
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def check(self) -> None:
        """Raise ``BadAudio`` (``decode_timeout``) once it is given up."""
        if self._is_given_up():
            raise BadAudio("decoding was given up", kind="decode_timeout")

    def shown(self, *pieces: Piece) -> AudioBytes:
        """Others made of these: bytes, or ranges of offsets in this row."""
        flat: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                flat.append(piece)
            else:
                flat += self._between(piece.start, piece.stop)
        return AudioBytes(self._file, self._is_given_up, flat)

    def _between(self, start: int, end: int) -> list[Piece]:
        """What lies between two offsets, piece by piece."""
        found: list[Piece] = []
        index = bisect_right(self._ends, start)
        while start < end and index < len(self._pieces):
            piece = self._pieces[index]
            piece_start = self._ends[index] - len(piece)
            part = piece[start - piece_start : end - piece_start]
            found.append(part)
            start += len(part)
            index += 1
        return found


def _whole(file: io.BufferedIOBase) -> Sequence[Piece]:
    n_bytes = file.seek(0, io.SEEK_END)
    if n_bytes > _SHORT_BYTES:
        return [range(n_bytes)]
    file.seek(0)
    return [file.read(n_bytes)]
