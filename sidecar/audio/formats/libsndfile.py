"""What libsndfile makes of a row of bytes. It is not trusted with hostile ones.

Samples are read forward in blocks and never sought by libsndfile, which can hang when it seeks in a
damaged FLAC. Nothing is allocated by what a header claims.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes

# What libsndfile states as the length of a FLAC whose own header states none.
UNKNOWN_FRAMES = (1 << 63) - 1
# libmpg123 looks there for a tag.
_LAST_BYTES = 128


@dataclass(frozen=True, slots=True)
class RawSamples:
    """Samples without a header.

    Attributes:
        subtype: how each is coded, in libsndfile's words (``PCM_16``, ``ULAW`` ...).
        endian: ``LITTLE`` or ``BIG``.
        sample_rate_hz: the rate.
        channels: how many values a frame has.
    """

    subtype: str
    endian: str
    sample_rate_hz: int
    channels: int


class Sound:
    """One stream that libsndfile decodes, read once from its beginning towards its end.

    Args:
        shown: what libsndfile is shown.
        format_name: for messages.
        raw: the samples that ``shown`` holds, if there is no header.
        claim: how many times as long as it is the stream says that it is. libsndfile takes the
            length of an MP3 without a tag for granted, which it has estimated from that.

    Attributes:
        sample_rate_hz: as libsndfile states it, not checked.
        channels: the same.
        n_frames: the same; ``UNKNOWN_FRAMES`` where it does not know.

    Raises:
        BadAudio: ``corrupt``, ``decode_timeout``.
        OSError: the file cannot be read.
    """

    def __init__(
        self, shown: AudioBytes, format_name: str, *, raw: RawSamples | None = None, claim: int = 1
    ) -> None:
        self._stream = _Stream(shown, claim)
        self._format_name = format_name
        options: dict[str, Any] = {}
        if raw is not None:
            options = {
                "format": "RAW",
                "subtype": raw.subtype,
                "endian": raw.endian,
                "samplerate": raw.sample_rate_hz,
                "channels": raw.channels,
            }
        with self._translated():
            self._file = _ForwardFile(self._stream, **options)
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.n_frames: int = self._file.frames
        self.subtype: str = self._file.subtype

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """The next frames, shape (at most ``n_frames``, channels); fewer only at the end.

        A double beyond the range of float32 becomes the largest of its sign.

        Raises:
            BadAudio: ``corrupt``, ``decode_timeout``.
            OSError: the file cannot be read.
        """
        self._stream.check()
        dtype = "float64" if self.subtype == "DOUBLE" else "float32"
        with self._translated():
            block = self._file.read(n_frames, dtype=dtype, always_2d=True)
        return _as_float32(block)

    @property
    def n_unread_bytes(self) -> int:
        """How much of what is shown was not taken."""
        return self._stream.n_unread_bytes()

    def close(self) -> None:
        """Free what libsndfile holds."""
        # What it finds to complain about once the samples are read does not matter.
        with contextlib.suppress(soundfile.SoundFileError):
            self._file.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The one place where the decoder's failures, whatever they are, become ``BadAudio``."""
        try:
            yield
        except Exception as error:
            self._stream.raise_failure()
            # libsndfile's text is one of a fixed list; another fault's could quote the file.
            raise damaged(
                self._format_name, getattr(error, "error_string", type(error).__name__)
            ) from error
        self._stream.raise_failure()


def damaged(format_name: str, decoder_error: str) -> BadAudio:
    """The refusal of a file that its decoder does not understand."""
    return BadAudio(
        f"the {format_name} file cannot be decoded: it is damaged, or coded in a way that is not "
        "supported; save it again as WAV, or send PCM",
        kind="corrupt",
        format=format_name,
        decoder_error=decoder_error,
    )


def _as_float32(block: NDArray[Any]) -> NDArray[np.float32]:
    if block.dtype == np.float32:
        return block
    with np.errstate(over="ignore"):
        narrow = block.astype(np.float32)
    if not np.isfinite(narrow).all():
        too_large = np.isinf(narrow) & np.isfinite(block)
        narrow[too_large] = np.copysign(np.finfo(np.float32).max, block[too_large])
    return narrow


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward: soundfile seeks after every read where it can."""

    def seekable(self) -> bool:
        return False


class _Stream:
    """Bytes as libsndfile's callbacks see them: no exception may pass through C.

    What goes wrong ends the stream, and ``raise_failure`` raises it when C has returned.
    """

    def __init__(self, shown: AudioBytes, claim: int) -> None:
        self._shown = shown
        self._position = 0
        self._failure: Exception | None = None
        self._n_bytes = shown.n_bytes * claim

    def readinto(self, buffer: bytearray) -> int:
        if self._failure is not None:
            return 0
        view = memoryview(buffer)
        try:
            data = self._shown.at(self._position, len(view))
        except (OSError, BadAudio) as error:
            self._failure = error
            return 0
        if not data and 0 <= self._n_bytes - self._position <= _LAST_BYTES:
            data = bytes(min(len(view), self._n_bytes - self._position))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int) -> None:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._n_bytes}[whence]
        # A broken header leads to impossible offsets; libsndfile then asks ``tell`` where it is.
        if 0 <= start + offset < 1 << 63:
            self._position = start + offset

    def tell(self) -> int:
        return self._position

    def n_unread_bytes(self) -> int:
        return max(0, self._shown.n_bytes - self._position)

    def check(self) -> None:
        self._shown.check()

    def raise_failure(self) -> None:
        """Raise what has ended the stream before its time, if anything has."""
        if self._failure is not None:
            raise self._failure
