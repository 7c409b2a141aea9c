"""What every kind of audio file has in common once it is open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.errors import BadAudio
from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.libsndfile import Sound

# Values (frames x channels) that are decoded at once: four seconds of speech at 16 kHz.
BLOCK_VALUES = 65_536

Block: TypeAlias = NDArray[np.float32]


class Recording(ABC):
    """An audio file, read once from a frame to its end, then closed.

    Attributes:
        format_name: of the file.
        codec: how its samples are coded.
        bits: of each sample; None where that means nothing.
        sample_rate_hz: as the header states it, not yet checked.
        channels: the same.
        n_frames: how many frames there are by the header, or by what was read of the file so far;
            None: not known.
        keeps_its_word: ``blocks`` never gives fewer without a word.
        findings: what is odd about the file, as far as it was read.
    """

    format_name: str
    codec: str
    bits: int | None = None
    sample_rate_hz: int
    channels: int
    n_frames: int | None
    keeps_its_word = True
    findings: Findings

    def measure(self) -> Generator[None, None, None]:
        """Find out ``n_frames`` and what is odd, step by step, without decoding all.

        Raises:
            BadAudio: as ``blocks``.
            OSError: the file cannot be read.
        """
        yield from ()

    def skip_to(self, frame: int) -> int:  # noqa: ARG002 - some kinds cannot skip
        """Skip towards ``frame``; to be called before ``blocks``.

        Returns:
            The frame, at most ``frame``, at which ``blocks`` will begin; 0 where the file has no
            entry that is surely right.

        Raises:
            OSError: the file cannot be read.
        """
        return 0

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """The samples, one array of shape (n_frames, channels) after the other.

        Some may be empty: only time has passed. After a skip, blocks end where they would without
        one, and so before the same damage.

        Raises:
            BadAudio: ``corrupt``, ``truncated``, ``decode_timeout``.
            OSError: the file cannot be read.
        """

    @abstractmethod
    def close(self) -> None:
        """Free what a decoder holds."""


def read_blocks(sound: Sound, frame: int, end: int) -> Iterator[Block]:
    """The blocks of ``sound``, whose next frame is ``frame``, up to ``end`` or until it ends."""
    block_frames = max(1, BLOCK_VALUES // sound.channels)
    while frame < end:
        block = sound.read(min(block_frames - frame % block_frames, end - frame))
        if len(block) == 0:
            return
        frame += len(block)
        yield block


def stopped_early(format_name: str, n_read: int, n_there: int) -> BadAudio:
    """The refusal of a file whose decoder stops before its samples end."""
    return BadAudio(
        f"the {format_name} file could be decoded only as far as sample {n_read} of {n_there}: it "
        "is damaged there; save it again as WAV, or send the part before it (end_s)",
        kind="truncated",
        format=format_name,
        promised_samples=n_there,
        present_samples=n_read,
    )
