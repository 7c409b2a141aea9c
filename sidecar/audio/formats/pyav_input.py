"""What PyAV is given to read, and what becomes of the frames that it decodes."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import numpy as np

from protocol.errors import BadAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.recording import Block


class InputFile:
    """A row of bytes as PyAV sees a file.

    Attributes:
        n_bytes: how many there are.
    """

    def __init__(self, source: AudioBytes) -> None:
        self._source = source
        self._position = 0
        self._failure: Exception | None = None
        self.n_bytes = source.n_bytes

    def read(self, n_bytes: int) -> bytes:
        """The next bytes."""
        try:
            data = self._source.at(self._position, n_bytes)
        except (OSError, BadAudio) as error:
            self._failure = error
            raise
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.n_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """The offset."""
        return self._position

    def raise_failure(self) -> None:
        """Raise what has ended reading before its time, if anything has."""
        if self._failure is not None:
            raise self._failure


class FrameReader:
    """Makes arrays of PyAV's frames: float32, full scale 1.0, shape (n_samples, channels).

    FFmpeg puts the channels together; PyAV counts more than there are where they are eight or more
    and lie apart.
    """

    def __init__(self, av: ModuleType) -> None:
        self._av = av
        self._layout: tuple[Any, ...] = ()
        self._packer: Any = None

    def read(self, frame: Any) -> Block:  # noqa: ANN401 - PyAV's
        """The samples of ``frame``; raises PyAV's errors."""
        layout = (frame.format.name, frame.layout.name, frame.sample_rate)
        if layout != self._layout:
            self._layout = layout
            self._packer = self._av.AudioResampler("flt", frame.layout, frame.sample_rate)
        channels = frame.layout.nb_channels
        parts = [np.empty((0, channels), np.float32)]
        for packed in self._packer.resample(frame):
            values = np.frombuffer(packed.planes[0], np.float32, packed.samples * channels)
            parts.append(values.reshape(-1, channels))
        return np.concatenate(parts)
