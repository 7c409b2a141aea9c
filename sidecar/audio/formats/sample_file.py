"""Files of samples behind a header: WAV and its kin, AIFF, CAF, AU, SPHERE."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.libsndfile import RawSamples, Sound
from sidecar.audio.formats.recording import Block, Recording, read_blocks, stopped_early
from sidecar.audio.formats.sample_data import SAMPLE_BYTES, SampleData

# What a decoder of blocks may leave unread: a part of one, and what it has read ahead.
_MAX_UNREAD_BYTES = 1 << 16
# More than that behind the samples would be a part of the recording, were it sound.
_MAX_TRAILING_S = 0.5


class SampleFile(Recording):
    """Samples that all have the same size: any frame is found by arithmetic.

    Args:
        source: the file.
        data: what its header states.
        end: where what belongs to the file ends by its header; None: at its end.
        findings: takes what is odd.
    """

    def __init__(
        self, source: AudioBytes, data: SampleData, end: int | None, findings: Findings
    ) -> None:
        assert data.coding.raw is not None
        self._source = source
        self._data = data
        self._raw: RawSamples = data.coding.raw
        self._end = source.n_bytes if end is None else end
        self._first_frame = 0
        self._sound: Sound | None = None
        self.findings = findings
        self.format_name, self.codec = data.format_name, data.coding.name
        self.bits = data.coding.bits
        self.sample_rate_hz, self.channels = self._raw.sample_rate_hz, self._raw.channels
        self._frame_bytes = self.channels * SAMPLE_BYTES[self._raw.subtype]
        self._place = present(data, source)
        self.n_frames: int = len(self._place) // self._frame_bytes

    def measure(self) -> Generator[None, None, None]:
        """See ``Recording``."""
        self._check_end()
        yield

    def skip_to(self, frame: int) -> int:
        """See ``Recording``."""
        self._first_frame = max(0, min(frame, self.n_frames - 1))
        return self._first_frame

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        start, end = (n * self._frame_bytes for n in (self._first_frame, self.n_frames))
        shown = self._source.shown(self._place[start:end])
        if shown.n_bytes > 0:
            self._sound = Sound(shown, self.format_name, raw=self._raw)
            n_read = self._first_frame
            for block in read_blocks(self._sound, n_read, self.n_frames):
                n_read += len(block)
                yield block
            if n_read < self.n_frames:
                raise stopped_early(self.format_name, n_read, self.n_frames)
        self._check_end()

    def close(self) -> None:
        """See ``Recording``."""
        if self._sound is not None:
            self._sound.close()

    def _check_end(self) -> None:
        tell_missing(self._data, len(self._place), self.findings)
        n_trailing = self._source.n_bytes - self._end
        if n_trailing <= 0:
            return
        trailing_s = n_trailing / self._frame_bytes / self.sample_rate_hz
        if trailing_s > _MAX_TRAILING_S and any(self._source.at(self._end, 1 << 16)):
            raise BadAudio(
                f"the {self.format_name} file's header promises {len(self._place)} bytes of "
                f"samples, and {n_trailing} bytes follow of which it says nothing: if they are "
                "samples too, its header is wrong; save it again, or send PCM",
                kind="truncated",
                promised_bytes=len(self._place),
                trailing_bytes=n_trailing,
            )
        self.findings.tell(
            "trailing_data",
            f"{n_trailing} bytes behind the samples belong to nothing, and were left out",
            n_bytes=n_trailing,
        )


class CodedFile(Recording):
    """Samples in blocks of which libsndfile alone knows how many they hold, such as ADPCM.

    Args:
        source: the file.
        data: what its header states.
        findings: takes what is odd.

    Raises:
        BadAudio: ``corrupt``: libsndfile cannot decode it.
    """

    def __init__(self, source: AudioBytes, data: SampleData, findings: Findings) -> None:
        self._data = data
        self._place = present(data, source)
        shown = source if data.header is None else source.shown(data.header, self._place)
        self._sound = Sound(shown, data.format_name)
        self.findings = findings
        self.format_name, self.codec = data.format_name, data.coding.name
        self.sample_rate_hz, self.channels = self._sound.sample_rate_hz, self._sound.channels
        self.n_frames: int = self._sound.n_frames

    def measure(self) -> Generator[None, None, None]:
        """See ``Recording``."""
        tell_missing(self._data, len(self._place), self.findings)
        yield

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        n_read = 0
        for block in read_blocks(self._sound, 0, self.n_frames):
            n_read += len(block)
            yield block
        if n_read < self.n_frames or self._sound.n_unread_bytes > _MAX_UNREAD_BYTES:
            raise stopped_early(self.format_name, n_read, self.n_frames)
        tell_missing(self._data, len(self._place), self.findings)

    def close(self) -> None:
        """See ``Recording``."""
        self._sound.close()


def present(data: SampleData, source: AudioBytes) -> range:
    """Where samples lie, as far as the file reaches."""
    place, n_bytes = data.place, source.n_bytes
    return range(min(place.start, n_bytes), min(place.stop, n_bytes))


def tell_missing(data: SampleData, present_bytes: int, findings: Findings) -> None:
    """Tell if the header promises more samples than there are."""
    promised_bytes = len(data.place)
    if data.has_size and present_bytes < promised_bytes:
        findings.tell(
            "missing_end",
            f"the {data.format_name} file is truncated: its header promises {promised_bytes} bytes "
            f"of samples, but {present_bytes} are there",
            promised_bytes=promised_bytes,
            present_bytes=present_bytes,
        )
