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
    search = FrameSearch(source, findings)
    runs = yield from search.runs()
    ends = (search.n_front, search.n_behind)
    return Mp3File(source, runs, ends, findings, format_name)


class Mp3File(Recording):
    """One MP3, or several that were joined.

    Args:
        source: the file.
        runs: of one or more.
        ends: how many samples to drop at the beginning, and at the end.
        findings: takes what is odd; what the frames tell is told.
        format_name: of the file around them.
    """

    def __init__(
        self,
        source: AudioBytes,
        runs: Sequence[Mp3Run],
        ends: tuple[int, int],
        findings: Findings,
        format_name: str,
    ) -> None:
        self._source = source
        self._runs = runs
        self._n_front, self._n_behind = ends
        self.findings = findings
        self.format_name = format_name
        first = runs[0].layout
        self.codec = f"MP{first.layer}"
        self.sample_rate_hz = first.sample_rate_hz
        self.channels = max(run.layout.channels for run in runs)
        n_seconds = sum(run.n_samples / run.layout.sample_rate_hz for run in runs)
        n_decoded = round(n_seconds * self.sample_rate_hz)
        self.n_frames: int = max(0, n_decoded - self._n_front - self._n_behind)
        # Where decoding begins: in which run, and how many of its frames and all samples before.
        self._entry = (0, 0, 0)
        self._sound: Sound | None = None

    def skip_to(self, frame: int) -> int:
        """See ``Recording``."""
        sample, start = max(0, min(frame, self.n_frames - 1)) + self._n_front, 0
        for index, run in enumerate(self._runs):
            if run.layout.sample_rate_hz != self.sample_rate_hz:
                break
            if start >= self._n_front:
                self._entry = (index, 0, start)
            if sample < start + run.n_samples:
                n_frames = _frames_before(run, sample - start)
                entered = start + n_frames * run.layout.frame_samples
                if n_frames > 0 and entered >= self._n_front:
                    self._entry = (index, n_frames, entered)
                break
            start += run.n_samples
        return max(0, self._entry[2] - self._n_front)

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        first, n_frames, sample = self._entry
        start, end = self._n_front, self._n_front + self.n_frames
        for index in range(first, len(self._runs)):
            run = self._runs[index]
            raw = self._decoded(run, n_frames if index == first else 0, sample - start)
            rate_hz = run.layout.sample_rate_hz
            for block in as_first(raw, rate_hz, self.sample_rate_hz, self.channels):
                yield block[max(0, start - sample) : max(0, end - sample)]
                sample += len(block)

    def close(self) -> None:
        """See ``Recording``."""
        if self._sound is not None:
            self._sound.close()

    def _pieces(self, run: Mp3Run) -> Iterator[Piece]:
        """The frames of ``run``; behind a hole, they lack what they take from those before."""
        for place in run.places:
            head = self._source.at(place.start, min(_WARM_UP_BYTES, len(place)))
            silent = run.layout.silenced(head)
            yield silent
            yield place[len(silent) :]
        yield bytes(run.n_cut)

    def _decoded(self, run: Mp3Run, n_frames: int, shift: int) -> Iterator[Block]:
        """The blocks of ``run`` from one of its frames on; they end where a block of the file does.

        ``shift`` is the first sample's place in the file.
        """
        row = self._source.shown(*self._pieces(run))
        offset = _offset_of(row, run, n_frames)
        silent = run.layout.silenced(row.at(offset, _WARM_UP_BYTES)) if n_frames else b""
        shown = row.shown(silent, range(offset + len(silent), row.n_bytes))
        self.close()
        self._sound = Sound(shown, self.format_name, claim=_CLAIM)
        block_frames = BLOCK_VALUES // run.layout.channels
        at, n_samples = n_frames * run.layout.frame_samples, run.n_samples
        shift -= at
        while at < n_samples:
            wanted = block_frames - (at + shift) % block_frames
            block = self._sound.read(min(wanted, n_samples - at))
            if len(block) == 0:
                raise stopped_early(self.format_name, at, n_samples)
            at += len(block)
            yield block


def _frames_before(run: Mp3Run, sample: int) -> int:
    """How many frames of ``run`` need not be decoded to have the samples from ``sample`` on."""
    n_frames = sample // run.layout.frame_samples - _WARM_UP_FRAMES
    n_frames -= n_frames % _SYNTHESIS_FRAMES
    return n_frames if n_frames > 0 and run.layout.can_be_silenced else 0


def _offset_of(row: AudioBytes, run: Mp3Run, n_frames: int) -> int:
    """Where the frame lies in the row of all that is behind so many others."""
    offset = run.marks[n_frames // MARK_FRAMES]
    for _ in range(n_frames % MARK_FRAMES):
        offset += run.layout.frame_bytes(row.at(offset, HEADER_BYTES))
    return offset
