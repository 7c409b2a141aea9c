"""A place in a FLAC where decoding can begin, found by the numbers of a few frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.flac_checksums import crc_16
from sidecar.audio.formats.flac_frames import (
    MAX_HEADER_BYTES,
    StreamInfo,
    frame_headers,
)

# How far behind a place the next frame is looked for, in pieces of this size.
_MAX_FRAME_BYTES, _PIECE_BYTES = 1 << 18, 1 << 13
# A hostile file can be all such bytes as a frame begins with: there are a dozen in a sound one.
_MAX_CANDIDATES = 10_000
# The search ends so near before the frame that is wanted, after rounds with so many probes each.
_NEAR_BYTES, _N_PROBES, _MAX_ROUNDS = 1 << 16, 7, 12


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies: its file offset, and its first sample's place in the audio."""

    offset: int
    sample: int


class FlacSearch:
    """Looks for the frames of one stream.

    Args:
        source: the file.
        info: its STREAMINFO.
        audio_offset: where the first frame lies.
    """

    def __init__(self, source: AudioBytes, info: StreamInfo, audio_offset: int) -> None:
        self._source = source
        self._n_candidates = 0
        self._info = info
        self._is_variable = source.at(audio_offset, 2)[1:] == b"\xf9"
        self.first = Frame(audio_offset, 0)

    def entry(self, sample: int) -> Frame | None:
        """A sound frame shortly before ``sample``; None if the file must be read from its start.

        Reads some hundred KB.
        """
        frame = self.frame_before(sample) if self._is_numbered() else None
        return frame if frame is not None and self._is_intact(frame) else None

    def _is_numbered(self) -> bool:
        """Whether the frames count the samples of a known total from 0 on."""
        has_numbers = self._is_variable or self._info.min_block == self._info.max_block
        first = self.next_frame(self.first.offset, self.first.offset + 1)
        return has_numbers and self._info.n_samples > 0 and first == self.first

    def frame_before(self, sample: int) -> Frame | None:
        """A frame shortly before ``sample``, None where the frames contradict one another.

        Probes between two known frames show between which of them it lies. Several in each round
        show where files were joined: the numbers of the frames then do not rise, or too slowly for
        so many bytes. A cut so small that neither is seen is not found.
        """
        low, high = self.first, Frame(self._source.n_bytes, self._info.n_samples)
        for _ in range(_MAX_ROUNDS):
            width = high.offset - low.offset
            if width <= _NEAR_BYTES:
                break
            marks = [low]
            for probe in range(1, _N_PROBES + 1):
                offset = low.offset + width * probe // (_N_PROBES + 1)
                frame = self.next_frame(offset, high.offset)
                if frame is not None and frame != marks[-1]:
                    marks.append(frame)
            marks.append(high)
            if not self._is_in_order(marks):
                return None
            low, high = next(pair for pair in pairwise(marks) if pair[1].sample > sample)
        return low

    def _is_in_order(self, marks: list[Frame]) -> bool:
        """Whether they can be of one stream; the last one may lie behind something else."""
        return all(mark.sample < following.sample for mark, following in pairwise(marks)) and all(
            following.offset - mark.offset <= self._info.most_bytes(following.sample - mark.sample)
            for mark, following in pairwise(marks[:-1])
        )

    def next_frame(self, offset: int, end: int) -> Frame | None:
        """The first frame that begins between ``offset`` and ``end``, and not too far away."""
        end = min(end, offset + _MAX_FRAME_BYTES)
        if self._n_candidates >= _MAX_CANDIDATES:
            return None
        for piece_offset in range(offset, end, _PIECE_BYTES):
            n_bytes = min(_PIECE_BYTES, end - piece_offset)
            piece = self._source.at(piece_offset, n_bytes + MAX_HEADER_BYTES)
            for place, header in frame_headers(piece, n_bytes):
                self._n_candidates += 1
                if self._n_candidates == _MAX_CANDIDATES:
                    return None
                if header is not None and header.fits(self._info, is_variable=self._is_variable):
                    return Frame(piece_offset + place, header.sample(self._info))
        return None

    def _is_intact(self, frame: Frame) -> bool:
        """Whether the checksum of ``frame`` agrees: it is none that only looks like one."""
        n_bytes = self._source.n_bytes
        following = self.next_frame(frame.offset + 1, n_bytes)
        end = n_bytes if following is None else following.offset
        data = self._source.at(frame.offset, min(end - frame.offset, _MAX_FRAME_BYTES))
        return crc_16(data) == 0
