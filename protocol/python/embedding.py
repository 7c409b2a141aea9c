"""What a Python host gives and gets: audio in its usual forms, and embeddings as numbers."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from protocol.fields import BYTES_IN_TEXT
from protocol.messages import Failure
from protocol.params import Audio, FileAudio, PathAudio, PcmAudio, StoredEmbedding
from protocol.python.errors import RemoteError
from protocol.python.results import Warnings, read, read_warnings
from protocol.quality import Quality

_BYTES_PER_NUMBER = 4

Numbers: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Embedding:
    """One voice: ``dim`` numbers, comparable with all that have the same ``fingerprint``.

    ``quality`` is that of the whole audio; None from a child older than 1.2.
    """

    embedding: Numbers
    dim: int
    model: str
    fingerprint: str
    normalized: bool
    duration_s: float
    device: str
    batch_size: int
    timings: Mapping[str, float]
    channel_correlation: float | None = None
    warnings: Warnings = ()
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class WindowEmbeddings:
    """The embedding of each window; ``starts_s`` in the time of the audio as it was given."""

    embeddings: tuple[Numbers, ...]
    starts_s: Numbers
    window_s: float
    hop_s: float
    dim: int
    model: str
    fingerprint: str
    normalized: bool
    duration_s: float
    device: str
    timings: Mapping[str, float]
    channel_correlation: float | None = None
    warnings: Warnings = ()


class Outcomes(list["Embedding | RemoteError"]):
    """An outcome for each audio or segment; ``warnings`` are about the audio of all segments."""

    def __init__(
        self, outcomes: Iterable[Embedding | RemoteError], warnings: Warnings = ()
    ) -> None:
        super().__init__(outcomes)
        self.warnings = warnings


# A bare string is a path, and bare bytes are a file's.
AudioSource: TypeAlias = Audio | str | Path | bytes
Voice: TypeAlias = AudioSource | Embedding | StoredEmbedding


def as_audio(source: AudioSource) -> Audio:
    """``source`` as the wire has it; a relative path begins at this process's current folder."""
    if isinstance(source, (PcmAudio, FileAudio, PathAudio)):
        return source
    if isinstance(source, bytes):
        return FileAudio(source)
    path = os.path.abspath(source)  # noqa: PTH100 - Path would keep what ".." undoes
    # On the wire a path is UTF-8, whatever it is in this process.
    return PathAudio(os.fsencode(path).decode(errors=BYTES_IN_TEXT))


def as_voice(voice: Voice) -> Audio | StoredEmbedding:
    """``voice`` as the wire has it."""
    if isinstance(voice, (Embedding, StoredEmbedding)):
        return as_stored(voice)
    return as_audio(voice)


def as_stored(embedding: Embedding | StoredEmbedding) -> StoredEmbedding:
    """``embedding`` as the wire has it, with how much speech it was made of, if that is known."""
    if isinstance(embedding, StoredEmbedding):
        return embedding
    speech_s = None if embedding.quality is None else embedding.quality.speech_s
    return stored_embedding(embedding.embedding, embedding.fingerprint, speech_s)


def stored_embedding(
    numbers: Iterable[float], fingerprint: str, speech_s: float | None = None
) -> StoredEmbedding:
    """The voice that an app kept: an embedding's numbers, its fingerprint, its quality's speech."""
    values = tuple(numbers)
    return StoredEmbedding(struct.pack(f"<{len(values)}f", *values), fingerprint, speech_s)


def read_embedding(result: Mapping[str, Any]) -> Embedding:
    """The result of ``embed``."""
    return read(Embedding, {**result, "embedding": read_numbers(result["embedding"])})


def read_outcomes(result: Mapping[str, Any]) -> Outcomes:
    """The result of ``embed_batch`` or ``embed_segments``."""
    outcomes = (_read_outcome(item) for item in result["results"])
    return Outcomes(outcomes, read_warnings(result.get("warnings", ())))


def _read_outcome(item: Mapping[str, Any]) -> Embedding | RemoteError:
    if "result" in item:
        return read_embedding(item["result"])
    error = item["error"]
    return RemoteError(Failure(None, error["code"], error["message"], error.get("data") or {}))


def read_windows(result: Mapping[str, Any]) -> WindowEmbeddings:
    """The result of ``embed_windows``."""
    packed, n_bytes = result["embeddings"], _BYTES_PER_NUMBER * result["dim"]
    starts = range(0, len(packed), n_bytes)
    embeddings = tuple(read_numbers(packed[start : start + n_bytes]) for start in starts)
    starts_s = tuple(result["starts_s"])
    return read(WindowEmbeddings, {**result, "embeddings": embeddings, "starts_s": starts_s})


def read_numbers(packed: bytes) -> Numbers:
    """The numbers of one embedding."""
    return struct.unpack(f"<{len(packed) // _BYTES_PER_NUMBER}f", packed)
