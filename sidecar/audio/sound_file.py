"""Audio files through libsndfile, which is not trusted with hostile ones.

Samples are read forward in blocks and never sought by libsndfile, which can hang when it seeks in a
damaged FLAC: see ``Entry``. Nothing is allocated by what a header claims.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

import numpy as np
import soundfile
from numpy.typing import NDArray

from protocol.errors import BadAudio
from sidecar.audio.containers import SUPPORTED, identify
from sidecar.audio.entry import MAX_HEADER_BYTES, Entry
from sidecar.audio.flac_frames import find_flac_entry
from sidecar.audio.mp3_frames import find_mp3_entry
from sidecar.audio.ogg_pages import find_vorbis_entry
from sidecar.audio.wav_chunks import find_data_chunk, find_wav_entry, shown_header

# Values (frames x channels) that are decoded at once: a second of speech at 16 kHz.
_BLOCK_VALUES = 16_384
# What libsndfile states as the length of a FLAC whose own header states none.
_UNKNOWN_FRAMES = (1 << 63) - 1


class SoundFile:
    """An audio file, read once from a frame to its end, then closed.

    Args:
        file: the bytes of the file, at any position; stays open.
        is_given_up: whether nobody wants it any more; asked at every block and every read.

    Attributes:
        sample_rate_hz: as the header states it, not yet checked.
        channels: the same.

    Raises:
        BadAudio: ``empty``, ``unsupported_format``, ``corrupt``, ``truncated``,
            ``decode_timeout``.
        OSError: the file cannot be read.
    """

    def __init__(self, file: io.BufferedIOBase, is_given_up: Callable[[], bool]) -> None:
        self._file = file
        self._is_given_up = is_given_up
        self._container = identify(file)
        self._data_chunk = find_data_chunk(file) if self._container in ("WAV", "RF64") else None
        self._promised_frames: int | None = None
        self._first_frame = 0
        self._stream = _Stream(file, is_given_up)
        chunk = self._data_chunk
        if chunk is not None and chunk.n_bytes is None and chunk.offset <= MAX_HEADER_BYTES:
            self._stream = _Stream(file, is_given_up, shown_header(file, chunk), chunk.offset)
        with self._translated():
            self._sound = _ForwardFile(self._stream)
        # As libsndfile counts or estimates them: it reads no more.
        self._n_frames: int = self._sound.frames
        if self._container == "FLAC" and self._n_frames != _UNKNOWN_FRAMES:
            self._promised_frames = self._n_frames
        self.sample_rate_hz: int = self._sound.samplerate
        self.channels: int = self._sound.channels

    @property
    def n_stated_frames(self) -> int | None:
        """How many frames there are by the header; None: it does not say."""
        has_placeholder = self._data_chunk is not None and self._data_chunk.n_bytes is None
        n_frames = self._n_frames
        return n_frames if 0 < n_frames < _UNKNOWN_FRAMES and not has_placeholder else None

    @property
    def keeps_its_word(self) -> bool:
        """Whether ``blocks`` raises at the end if there are fewer frames than stated."""
        return self._data_chunk is not None or self._promised_frames is not None

    def skip_to(self, frame: int) -> int:
        """Skip towards ``frame``, by an entry into the file; to be called before ``blocks``.

        Returns:
            The frame, at most ``frame``, at which ``blocks`` will begin; 0 where the file has no
            entry that is surely right.

        Raises:
            OSError: the file cannot be read.
        """
        # A frame behind the end is looked for in vain, but its refusal tells the true length.
        frame = min(frame, self._n_frames - 1)
        entry = self._find_entry(frame) if frame > 0 else None
        if entry is not None:
            self._enter(entry)
        return self._first_frame

    def _find_entry(self, frame: int) -> Entry | None:
        n_frames = self._n_frames
        if self._data_chunk is not None:
            return find_wav_entry(self._file, self._data_chunk, frame, n_frames)
        if self._container == "FLAC":
            return find_flac_entry(self._file, frame)
        if self._container == "MP3":
            return find_mp3_entry(self._file, frame, n_frames, self._is_given_up)
        if self._container == "OGG":
            return find_vorbis_entry(self._file, frame, n_frames, self._is_given_up)
        return None

    def _enter(self, entry: Entry) -> None:
        """Read on from ``entry`` if the decoder understands it as it was meant."""
        stream = _Stream(self._file, self._is_given_up, entry.header, entry.offset)
        try:
            sound = _ForwardFile(stream)
        except soundfile.SoundFileError:
            return
        first_frame = entry.stated_end - sound.frames
        layout = (sound.samplerate, sound.channels)
        if layout != (self.sample_rate_hz, self.channels) or first_frame not in entry.first_frames:
            _close(sound)
            return
        _close(self._sound)
        self._sound, self._stream, self._first_frame = sound, stream, first_frame

    def close(self) -> None:
        """Free what libsndfile holds."""
        _close(self._sound)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The samples, one array of shape (n_frames, channels) after the other.

        Raises:
            BadAudio: ``corrupt``, ``decode_timeout``; at the end of the file ``truncated``, if its
                header promises more.
            OSError: the file cannot be read.
        """
        block_frames = _BLOCK_VALUES // self.channels
        frame = self._first_frame
        while True:
            # After a skip, blocks end where they would without one, and so before the same damage.
            n_wanted = min(block_frames - frame % block_frames, self._n_frames - frame)
            with self._translated():
                block: NDArray[np.float32] = self._sound.read(
                    n_wanted, dtype="float32", always_2d=True
                )
            if len(block) == 0:
                break
            frame += len(block)
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
            # libsndfile's text is one of a fixed list; another fault's could quote the file.
            raise BadAudio(
                f"the {self._container} file cannot be decoded: it is damaged, or coded in a way "
                f"that is not supported; send {SUPPORTED}",
                kind="corrupt",
                format=self._container,
                decoder_error=getattr(error, "error_string", type(error).__name__),
            ) from error
        self._stream.raise_failure()

    def _refuse_if_truncated(self) -> None:
        """Raise ``BadAudio`` if the file's header proves that its end is missing."""
        chunk = self._data_chunk
        if chunk is not None and chunk.n_bytes is not None:
            present_bytes = max(0, self._stream.file_bytes - chunk.offset)
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
            present_frames = self._first_frame + self._sound.tell()  # asks, does not seek
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


def _close(sound: _ForwardFile) -> None:
    # What libsndfile finds to complain about once the samples are read does not matter.
    with contextlib.suppress(soundfile.SoundFileError):
        sound.close()


class _Stream:
    """A file as libsndfile's callbacks see it: no exception may pass through C.

    What goes wrong ends the stream, and ``raise_failure`` raises it when C has returned.

    Args:
        file: its position is moved, and does not matter.
        is_given_up: as for ``SoundFile``.
        header: is shown in front.
        offset: of what is shown of the file.

    Attributes:
        file_bytes: the length of the file.
    """

    def __init__(
        self,
        file: io.BufferedIOBase,
        is_given_up: Callable[[], bool],
        header: bytes = b"",
        offset: int = 0,
    ) -> None:
        self._file = file
        self._is_given_up = is_given_up
        self._header = header
        self._shift = offset - len(header)  # from here to the file's own offsets
        self._position = 0
        self._failure: Exception | None = None
        self.file_bytes = file.seek(0, io.SEEK_END)
        self._n_bytes = self.file_bytes - self._shift

    def readinto(self, buffer: bytearray) -> int:
        if self._is_stopped() or self.at_end():
            return 0
        view = memoryview(buffer)
        head = self._header[self._position : self._position + len(view)]
        view[: len(head)] = head
        n_bytes = len(head)
        if n_bytes < len(view):
            try:
                self._file.seek(self._position + n_bytes + self._shift)
                n_bytes += self._file.readinto(view[n_bytes:])
            except OSError as error:
                self._failure = error
                return 0
        self._position += n_bytes
        return n_bytes

    def seek(self, offset: int, whence: int) -> None:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._n_bytes}[whence]
        # A broken header leads to impossible offsets; libsndfile then asks ``tell`` where it is.
        if 0 <= start + offset < 1 << 63:
            self._position = start + offset

    def tell(self) -> int:
        return self._position

    def at_end(self) -> bool:
        return self._position >= self._n_bytes

    def raise_failure(self) -> None:
        """Raise what has ended the stream before its time, if anything has."""
        if self._is_stopped():
            assert self._failure is not None
            raise self._failure

    def _is_stopped(self) -> bool:
        if self._failure is None and self._is_given_up():
            self._failure = BadAudio("decoding was given up", kind="decode_timeout")
        return self._failure is not None
