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
_MAX_TRAILING_S, _MAX_LOOKED_AT = 0.5, 1 << 16


class SampleFile(Recording):
    """Samples that all have the same size: any frame is found by arithmetic.

    Args:
        source: the file.
        data: what its header states.
        findings: takes what is odd.
    """

    def __init__(self, source: AudioBytes, data: SampleData, findings: Findings) -> None:
        assert data.coding.raw is not None
        self._source = source
        self._data = data
        self._raw: RawSamples = data.coding.raw
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
        duration_s = self.n_frames / self.sample_rate_hz
        tell_odd_ends(self._data, self._source, self.findings, duration_s)


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
        self._source = source
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
        self._check_end()
        yield

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        n_read = 0
        for block in read_blocks(self._sound, 0, self.n_frames):
            n_read += len(block)
            yield block
        if n_read < self.n_frames or self._sound.n_unread_bytes > _MAX_UNREAD_BYTES:
            raise stopped_early(self.format_name, n_read, self.n_frames)
        self._check_end()

    def close(self) -> None:
        """See ``Recording``."""
        self._sound.close()

    def _check_end(self) -> None:
        duration_s = self.n_frames / self.sample_rate_hz
        tell_odd_ends(self._data, self._source, self.findings, duration_s)


def present(data: SampleData, source: AudioBytes) -> range:
    """Where samples lie, as far as the file reaches."""
    place, n_bytes = data.place, source.n_bytes
    return range(min(place.start, n_bytes), min(place.stop, n_bytes))


def tell_odd_ends(
    data: SampleData, source: AudioBytes, findings: Findings, duration_s: float
) -> None:
    """Tell if samples are missing that were promised, or if bytes follow that belong to nothing.

    Raises:
        BadAudio: ``truncated``: they could be as much sound as to matter; ``duration_s`` is that
            of the samples.
    """
    present_bytes = len(present(data, source))
    if data.has_size and present_bytes < len(data.place):
        findings.tell(
            "missing_end",
            f"the {data.format_name} file is truncated: its header promises {len(data.place)} "
            f"bytes of samples, but {present_bytes} are there",
            promised_bytes=len(data.place),
            present_bytes=present_bytes,
        )
    n_trailing = source.n_bytes - data.end
    if not data.has_size or n_trailing <= 0:
        return
    is_long = n_trailing * duration_s > _MAX_TRAILING_S * max(1, present_bytes)
    if is_long and any(source.at(data.end, _MAX_LOOKED_AT)):
        raise BadAudio(
            f"the {data.format_name} file's header promises {present_bytes} bytes of samples, and "
            f"{n_trailing} bytes follow of which it says nothing: its header is wrong, or another "
            "file was joined to it; save it again, or send PCM",
            kind="truncated",
            promised_bytes=present_bytes,
            trailing_bytes=n_trailing,
        )
    findings.tell(
        "trailing_data",
        f"{n_trailing} bytes behind the samples belong to nothing, and were left out",
        n_bytes=n_trailing,
    )
