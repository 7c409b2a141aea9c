"""Audio files through libsndfile, which is not trusted with hostile ones.

Samples are read forward in blocks and never sought: libsndfile can hang when it seeks in a damaged
FLAC. Nothing is allocated by what a header claims.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

import numpy as np
import soundfile
from numpy.typing import NDArray

from protocol.errors import BadAudio
from sidecar.audio.containers import (
    SUPPORTED,
    DataChunk,
    find_data_chunk,
    identify,
)

# Values (frames x channels) that are decoded at once: a second of speech at 16 kHz.
_BLOCK_VALUES = 16_384
# What libsndfile states as the length of a FLAC whose own header states none.
_UNKNOWN_FRAMES = (1 << 63) - 1


class SoundFile:
    """An audio file, read once from its beginning to its end, then closed.

    Args:
        file: the bytes of the file, at any position; stays open.
        is_late: whether decoding has taken too long; asked at every block and every read.

    Attributes:
        sample_rate_hz: as the header states it, not yet checked.
        channels: the same.

    Raises:
        BadAudio: ``empty``, ``unsupported_format``, ``corrupt``, ``truncated``,
            ``decode_timeout``.
        OSError: the file cannot be read.
    """

    def __init__(self, file: io.BufferedIOBase, is_late: Callable[[], bool]) -> None:
        self._container = identify(file)
        self._data_chunk = find_data_chunk(file) if self._container in ("WAV", "RF64") else None
        self._promised_frames: int | None = None
        self._stream = _Stream(file, self._data_chunk, is_late)
        with self._translated():
            self._sound = _ForwardFile(self._stream)
        if self._container == "FLAC" and self._sound.frames != _UNKNOWN_FRAMES:
            self._promised_frames = self._sound.frames
        self.sample_rate_hz: int = self._sound.samplerate
        self.channels: int = self._sound.channels

    def close(self) -> None:
        """Free what libsndfile holds."""
        # What libsndfile finds to complain about once the samples are read does not matter.
        with contextlib.suppress(soundfile.SoundFileError):
            self._sound.close()

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The samples, one array of shape (n_frames, channels) after the other.

        Raises:
            BadAudio: ``corrupt``, ``decode_timeout``; at the end of the file ``truncated``, if its
                header promises more.
            OSError: the file cannot be read.
        """
        block_frames = _BLOCK_VALUES // self.channels
        while True:
            with self._translated():
                block: NDArray[np.float32] = self._sound.read(
                    block_frames, dtype="float32", always_2d=True
                )
            if len(block) == 0:
                break
            yield block
        self._refuse_if_truncated()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The one place where the decoder's failures, whatever they are, become ``BadAudio``."""
        try:
            yield
        except Exception as error:
            self._stream.raise_failure()
            self._refuse_if_truncated()
            raise BadAudio(
                f"the {self._container} file cannot be decoded: it is damaged, or coded in a way "
                f"that is not supported; send {SUPPORTED}",
                kind="corrupt",
                format=self._container,
                decoder_error=getattr(error, "error_string", repr(error)),
            ) from error
        self._stream.raise_failure()

    def _refuse_if_truncated(self) -> None:
        """Raise ``BadAudio`` if the file's header proves that its end is missing."""
        chunk = self._data_chunk
        if chunk is not None and chunk.n_bytes is not None:
            present_bytes = max(0, self._stream.n_bytes - chunk.offset)
            if present_bytes < chunk.n_bytes:
                raise BadAudio(
                    f"the {self._container} file is truncated: its header promises "
                    f"{chunk.n_bytes} bytes of samples, but {present_bytes} are there; "
                    "send the whole file",
                    kind="truncated",
                    promised_bytes=chunk.n_bytes,
                    present_bytes=present_bytes,
                )
        # A FLAC that is broken before its end is reached is damaged, not truncated.
        if self._promised_frames is not None and self._stream.at_end():
            present_frames = self._sound.tell()  # asks, does not seek
            if present_frames < self._promised_frames:
                raise BadAudio(
                    f"the {self._container} file is truncated: its header promises "
                    f"{self._promised_frames} samples, but {present_frames} can be decoded; "
                    "send the whole file",
                    kind="truncated",
                    promised_samples=self._promised_frames,
                    present_samples=present_frames,
                )


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward: soundfile seeks after every read where it can."""

    def seekable(self) -> bool:
        return False


class _Stream:
    """A file as libsndfile's callbacks see it: no exception may pass through C.

    What goes wrong ends the stream, and ``raise_failure`` raises it when C has returned. A
    placeholder for the size of a WAV's samples is shown as what libsndfile understands.
    """

    def __init__(
        self, file: io.BufferedIOBase, data_chunk: DataChunk | None, is_late: Callable[[], bool]
    ) -> None:
        self._file = file
        self._is_late = is_late
        self._failure: Exception | None = None
        self._overlay_offset, self._overlay = 0, b""
        if data_chunk is not None and data_chunk.n_bytes is None:
            self._overlay_offset, self._overlay = data_chunk.size_offset, data_chunk.unknown_size
        self.n_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)

    def readinto(self, buffer: bytearray) -> int:
        if self._is_stopped():
            return 0
        offset = self._file.tell()
        try:
            n_bytes = self._file.readinto(buffer)
        except OSError as error:
            self._failure = error
            return 0
        for index, byte in enumerate(self._overlay, start=self._overlay_offset - offset):
            if 0 <= index < n_bytes:
                buffer[index : index + 1] = bytes((byte,))
        return n_bytes

    def seek(self, offset: int, whence: int) -> None:
        # A broken header leads to impossible offsets; libsndfile then asks ``tell`` where it is.
        with contextlib.suppress(OSError, ValueError, OverflowError):
            self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def at_end(self) -> bool:
        return self._file.tell() >= self.n_bytes

    def raise_failure(self) -> None:
        """Raise what has ended the stream before its time, if anything has."""
        if self._is_stopped():
            assert self._failure is not None
            raise self._failure

    def _is_stopped(self) -> bool:
        if self._failure is None and self._is_late():
            self._failure = BadAudio(
                "decoding took too long and was given up: the file is damaged, or very long before "
                "start_s; send a shorter one",
                kind="decode_timeout",
            )
        return self._failure is not None
