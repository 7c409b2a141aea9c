"""MP3 files: what libsndfile is shown of them is frames, and nothing else.

The tags stay out, too: what they say is done here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from sidecar.audio.formats.audio_bytes import AudioBytes, Piece
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.joined import as_first
from sidecar.audio.formats.libsndfile import Sound
from sidecar.audio.formats.mp3_frames import HEADER_BYTES
from sidecar.audio.formats.mp3_runs import MARK_FRAMES, FrameSearch, Mp3Run
from sidecar.audio.formats.recording import BLOCK_VALUES, Block, Recording, stopped_early

# libsndfile believes the length that is estimated from the first frames' bit rate and the file's
# size. Bit rates differ by a factor of 56 at most: with so large a size, it is never too short.
_CLAIM = 64
# Enough for the reservoir at any bitrate, and for the overlap of the frames' samples.
_WARM_UP_FRAMES = 32
_WARM_UP_BYTES = 4096
# The filter's buffer is a ring of 16, and moves by 18 or 36 with each frame. Its phase decides on
# the order of sums, and so on the last bit of the samples.
_SYNTHESIS_FRAMES = 8


def open_mp3(
    source: AudioBytes, findings: Findings, format_name: str = "MP3"
) -> Generator[None, None, Mp3File]:
    """Open the MP3 file that ``source`` is, step by step.

    Raises:
        BadAudio: ``corrupt``, ``decode_timeout``.
        OSError: the file cannot be read.
    """
    runs = yield from FrameSearch(source, findings).runs()
    return Mp3File(source, runs, findings, format_name)


class Mp3File(Recording):
    """One MP3, or several that were joined.

    Args:
        source: the file.
        runs: of one or more.
        findings: takes what is odd; what the frames tell is told.
        format_name: of the file around them.
    """

    def __init__(
        self, source: AudioBytes, runs: Sequence[Mp3Run], findings: Findings, format_name: str
    ) -> None:
        self._source = source
        self._runs = runs
        self.findings = findings
        self.format_name = format_name
        first = runs[0].layout
        self.codec = f"MP{first.layer}"
        self.sample_rate_hz = first.sample_rate_hz
        self.channels = max(run.layout.channels for run in runs)
        n_seconds = sum(run.n_samples / run.layout.sample_rate_hz for run in runs)
        self.n_frames: int = round(n_seconds * self.sample_rate_hz)
        self._first_run = self._first_frame = self._n_frames_in = 0
        self._sound: Sound | None = None

    def skip_to(self, frame: int) -> int:
        """See ``Recording``."""
        start = 0
        for index, run in enumerate(self._runs):
            if run.layout.sample_rate_hz != self.sample_rate_hz:
                break
            self._first_run, self._first_frame, self._n_frames_in = index, start, 0
            if frame < start + run.n_samples or index == len(self._runs) - 1:
                n_frames_in = self._frames_before(run, min(frame - start, run.n_samples - 1))
                if n_frames_in > 0:
                    self._n_frames_in = n_frames_in
                    self._first_frame = start + n_frames_in * run.layout.frame_samples - run.n_front
                break
            start += run.n_samples
        return self._first_frame

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        frame = self._first_frame
        for index in range(self._first_run, len(self._runs)):
            run = self._runs[index]
            n_frames_in = self._n_frames_in if index == self._first_run else 0
            raw = self._decoded(run, n_frames_in, frame)
            rate_hz = run.layout.sample_rate_hz
            yield from as_first(raw, rate_hz, self.sample_rate_hz, self.channels)
            frame += run.n_samples

    def close(self) -> None:
        """See ``Recording``."""
        if self._sound is not None:
            self._sound.close()

    def _frames_before(self, run: Mp3Run, sample: int) -> int:
        """How many frames of ``run`` need not be decoded to have the samples from ``sample`` on."""
        n_frames = (sample + run.n_front) // run.layout.frame_samples - _WARM_UP_FRAMES
        n_frames -= n_frames % _SYNTHESIS_FRAMES
        is_far = n_frames > 0 and n_frames * run.layout.frame_samples >= run.n_front
        return n_frames if is_far and run.layout.can_be_silenced else 0

    def _pieces(self, run: Mp3Run) -> Iterator[Piece]:
        """The frames of ``run``; behind a hole, they lack what they take from those before."""
        for index, place in enumerate(run.places):
            if index > 0 and run.layout.can_be_silenced:
                head = self._source.at(place.start, min(_WARM_UP_BYTES, len(place)))
                silent = run.layout.silenced(head)
                yield silent
                yield place[len(silent) :]
            else:
                yield place

    def _decoded(self, run: Mp3Run, n_frames_in: int, frame: int) -> Iterator[Block]:
        """The blocks of ``run`` from one of its frames on; ``frame`` is the first sample's place."""
        row = self._source.shown(*self._pieces(run))
        offset = _offset_of(row, run, n_frames_in)
        silent = run.layout.silenced(row.at(offset, _WARM_UP_BYTES)) if n_frames_in else b""
        self.close()
        self._sound = Sound(
            row.shown(silent, range(offset + len(silent), run.n_bytes)), self.format_name, claim=_CLAIM
        )
        at = n_frames_in * run.layout.frame_samples
        start, end = run.n_front, run.n_front + run.n_samples
        block_frames = BLOCK_VALUES // run.layout.channels
        shift = frame - max(at, start)
        while at < end:
            # Up to where a block ends in the file's own count.
            wanted = block_frames - (at + shift) % block_frames
            block = self._sound.read(min(wanted, end - at))
            if len(block) == 0:
                raise stopped_early(self.format_name, at, end)
            yield block[max(0, start - at) :]
            at += len(block)


def _offset_of(row: AudioBytes, run: Mp3Run, n_frames: int) -> int:
    """Where the frame lies in the row of all that is behind so many others."""
    offset = run.marks[n_frames // MARK_FRAMES]
    for _ in range(n_frames % MARK_FRAMES):
        offset += run.layout.frame_bytes(row.at(offset, HEADER_BYTES))
    return offset
