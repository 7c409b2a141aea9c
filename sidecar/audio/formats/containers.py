"""What only FFmpeg's libraries decode, by PyAV, which is an extra: M4A, WebM, WMA and more.

FFmpeg is told which demuxer to take, and reads through a file object of ours: so nothing that a
file says can make it open another file, or an address.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.joined import as_first
from sidecar.audio.formats.libsndfile import damaged
from sidecar.audio.formats.magic import Kind
from sidecar.audio.formats.mp4_boxes import check_mp4
from sidecar.audio.formats.pyav_input import FrameReader, InputFile
from sidecar.audio.formats.recording import BLOCK_VALUES, Block, Recording

ADVICE = (
    "in an Electron renderer, AudioContext.decodeAudioData makes PCM of whatever Chromium can play"
)
# How much longer than it is a file may say it is: encoders round, and count what they add.
_TOLERANCE_S, _TOLERATED_SHARE = 0.15, 0.01
# How far FFmpeg reads ahead, and so what can be seen of where it stops.
_BUFFER_BYTES = 1 << 12
# What may lie behind the last packet: an index, or tags.
_MAX_UNREAD_BYTES, _MAX_UNREAD_SHARE = 1 << 12, 0.01
_MAX_LOOKED_AT = 1 << 16
# Those that read to the end of the file, and on into what was joined to it.
_READ_ALL = ("matroska", "avi", "aac", "amr", "ogg")
# Those whose length is estimated from the size.
_ESTIMATED = ("aac", "amr")
# Nothing is opened but what is given; where a format has checksums, they are checked.
_OPTIONS = {"protocol_whitelist": "none", "err_detect": "crccheck"}
# A rate and samples.
Frame: TypeAlias = tuple[int, Block]


def pyav() -> ModuleType | None:
    """PyAV, if it is installed."""
    try:
        import av  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    module: ModuleType = av
    return module


def missing(kind: Kind) -> BadAudio:
    """The refusal of a file that needs PyAV where there is none, or that nothing decodes."""
    way = "send WAV, FLAC, OGG, MP3 or PCM"
    if kind.demuxer:
        way = "install speaker-sidecar[containers] for it (PyAV), or send PCM"
    return BadAudio(
        f"the audio file is {kind.name}, which is not decoded here: {way}; {ADVICE}",
        kind="unsupported_format",
        format=kind.name,
    )


def open_container(source: AudioBytes, kind: Kind, findings: Findings) -> ContainerFile:
    """Open the file that ``source`` is.

    Raises:
        BadAudio: ``unsupported_format`` without PyAV; ``corrupt``: there is no sound in it, or
            FFmpeg does not understand it.
        OSError: the file cannot be read.
    """
    av = pyav() if kind.demuxer else None
    if av is None:
        raise missing(kind)
    if kind.demuxer == "mov":
        check_mp4(source, kind.name, findings)
    return ContainerFile(av, source, kind, findings)


class ContainerFile(Recording):
    """A file that FFmpeg decodes, always from its beginning.

    Args:
        av: PyAV.
        source: the file.
        kind: what it is.
        findings: takes what is odd.
    """

    keeps_its_word = False

    def __init__(self, av: ModuleType, source: AudioBytes, kind: Kind, findings: Findings) -> None:
        self._av = av
        self._file = InputFile(source)
        self._reader = FrameReader(av)
        self.findings = findings
        self.format_name = kind.name
        self._demuxer = kind.demuxer
        self._n_damaged = 0
        try:
            self._container = av.open(
                self._file,
                "r",
                format=kind.demuxer,
                options=_OPTIONS,
                metadata_errors="ignore",
                buffer_size=_BUFFER_BYTES,
            )
        except Exception as error:
            raise self._damaged(error) from error
        try:
            self._open_stream()
        except BaseException:
            self._container.close()
            raise

    def _open_stream(self) -> None:
        stream = self._container.streams.best("audio")
        if stream is None:
            raise damaged(self.format_name, "there is no sound in it")
        context = stream.codec_context
        if context is None:
            raise damaged(self.format_name, "its sound is coded in a way that is not known")
        context.thread_count = 1
        self._stream = stream
        self.codec = context.name
        self._n_front = 0
        if self.codec == "opus" and bytes(context.extradata or b"").startswith(b"OpusHead"):
            # FFmpeg would drop too few where a WebM states the rate of what was recorded.
            context.flags2 |= self._av.codec.context.Flags2.skip_manual
            self._n_front = int.from_bytes(context.extradata[10:12], "little")
        self._frames = self._decoded_frames()
        self._first = next(self._frames, None)
        if self._first is None:
            raise damaged(self.format_name, "there is no sound in it")
        self.sample_rate_hz, block = self._first
        self.channels = block.shape[1]
        self.n_frames: int | None = None
        duration_s = self._stated_s()
        if duration_s is not None:
            self.n_frames = round(duration_s * self.sample_rate_hz)

    def measure(self) -> Generator[None, None, None]:
        """See ``Recording``: what the packets say, where the header does not."""
        if self.n_frames is not None or self._first is None:
            return
        end_s = len(self._first[1]) / self.sample_rate_hz
        for packet in self._packets():
            if packet.pts is not None and packet.time_base is not None:
                end = packet.pts + (packet.duration or 0)
                end_s = max(end_s, _seconds(end, packet.time_base))
            yield
        self.n_frames = round(end_s * self.sample_rate_hz)

    def blocks(self) -> Iterator[Block]:
        """See ``Recording``."""
        n_read = -self._n_front
        frame = self._first
        while frame is not None:
            run = _Run(frame, self._frames)
            for block in as_first(run.blocks(), run.rate_hz, self.sample_rate_hz, self.channels):
                n_dropped = max(0, -n_read)
                n_read += len(block)
                yield block[n_dropped:]
            frame = run.following
        self._check_end(n_read)

    def close(self) -> None:
        """See ``Recording``."""
        self._container.close()

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except Exception as error:
                raise self._damaged(error) from error
            yield packet

    def _decoded_frames(self) -> Iterator[Frame]:
        for packet in self._packets():
            n_behind = 0
            if self._n_front and packet.has_sidedata("skip_samples"):
                n_behind = _n_behind(bytes(packet.get_sidedata("skip_samples")))
            try:
                for frame in packet.decode():
                    block = self._reader.read(frame)
                    yield frame.sample_rate, block[: max(0, len(block) - n_behind)]
            except Exception:  # noqa: BLE001 - whatever PyAV makes of a packet that is damaged
                # FFmpeg goes on with the next.
                self._file.raise_failure()
                self._n_damaged += 1

    def _stated_s(self) -> float | None:
        if self._demuxer in _ESTIMATED:
            return None
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            return _seconds(stream.duration, stream.time_base)
        duration = self._container.duration
        return None if duration is None or duration <= 0 else duration / self._av.time_base

    def _check_end(self, n_read: int) -> None:
        n_bytes = self._file.n_bytes
        n_unread = n_bytes - self._file.tell()
        is_read_on = self._demuxer == "mov" or self._demuxer in _READ_ALL
        is_long = n_unread > max(_MAX_UNREAD_BYTES, _MAX_UNREAD_SHARE * n_bytes)
        if is_long and not is_read_on and any(self._file.read(_MAX_LOOKED_AT)):
            raise BadAudio(
                f"the {self.format_name} file goes on where its sound ends: {n_unread} of its "
                f"{n_bytes} bytes are no part of it; if files were joined, send them one by one",
                kind="truncated",
                format=self.format_name,
                n_bytes=n_unread,
            )
        if self._n_damaged:
            self.findings.tell(
                "skipped_bytes",
                f"{self._n_damaged} packets of the {self.format_name} file are damaged, and were "
                "left out",
                n_packets=self._n_damaged,
            )
        promised = self.n_frames
        if promised is None:
            return
        tolerated = max(_TOLERANCE_S * self.sample_rate_hz, _TOLERATED_SHARE * promised)
        if n_read < promised - tolerated:
            self.findings.tell(
                "missing_end",
                f"the {self.format_name} file is truncated or damaged: its header promises "
                f"{promised} samples, but {n_read} can be decoded",
                promised_samples=promised,
                present_samples=n_read,
            )

    def _damaged(self, error: Exception) -> BadAudio:
        self._file.raise_failure()
        # FFmpeg's text is one of a fixed list; it may be followed by the file's name.
        return damaged(self.format_name, getattr(error, "strerror", None) or type(error).__name__)


class _Run:
    """Frames of one rate and number of channels, up to one that differs.

    Attributes:
        rate_hz: the rate.
        following: once all blocks were taken, the frame that differs; None: there is none.
    """

    def __init__(self, first: Frame, frames: Iterator[Frame]) -> None:
        self._first = first
        self._frames = frames
        self.rate_hz = first[0]
        self.following: Frame | None = None

    def blocks(self) -> Iterator[Block]:
        """The samples of the frames, some together."""
        held: list[Block] = []
        n_values = 0
        frame: Frame | None = self._first
        while frame is not None:
            rate_hz, block = frame
            if (rate_hz, block.shape[1]) != (self.rate_hz, self._first[1].shape[1]):
                self.following = frame
                break
            held.append(block)
            n_values += block.size
            if n_values >= BLOCK_VALUES:
                yield np.concatenate(held)
                held, n_values = [], 0
            frame = next(self._frames, None)
        if held:
            yield np.concatenate(held)


def _seconds(ticks: int, time_base: Any) -> float:  # noqa: ANN401 - PyAV's
    """A time in seconds; releases of PyAV differ in what a time base is."""
    seconds: float = ticks * time_base.numerator / time_base.denominator
    return seconds


def _n_behind(skip_samples: bytes) -> int:
    """How many samples to drop at the end, by a packet's side data: two counts of 32 bits."""
    return int.from_bytes(skip_samples[4:8], "little")
