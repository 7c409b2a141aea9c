"""What a Python host gives and gets: audio in its usual forms, and embeddings as numbers."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from protocol.fields import BYTES_IN_TEXT
from protocol.messages import Failure
from protocol.params import Audio, FileAudio, PathAudio, PcmAudio, StoredEmbedding
from protocol.python.errors import RemoteError
from protocol.reports import AudioWarning, ProbeResult

_BYTES_PER_NUMBER = 4

Numbers: TypeAlias = tuple[float, ...]
Warnings: TypeAlias = tuple[AudioWarning, ...]


@dataclass(frozen=True, slots=True)
class Embedding:
    """One voice: ``dim`` numbers, comparable with all that have the same ``fingerprint``."""

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

_T = TypeVar("_T", Embedding, WindowEmbeddings, ProbeResult)


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
    if isinstance(voice, StoredEmbedding):
        return voice
    if isinstance(voice, Embedding):
        return stored_embedding(voice.embedding, voice.fingerprint)
    return as_audio(voice)


def stored_embedding(numbers: Iterable[float], fingerprint: str) -> StoredEmbedding:
    """The voice that an app kept, for ``score``: an embedding's numbers, and its fingerprint."""
    values = tuple(numbers)
    return StoredEmbedding(struct.pack(f"<{len(values)}f", *values), fingerprint)


def read_embedding(result: Mapping[str, Any]) -> Embedding:
    """The result of ``embed``."""
    return _read(Embedding, {**result, "embedding": _numbers(result["embedding"])})


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
    embeddings = tuple(_numbers(packed[start : start + n_bytes]) for start in starts)
    starts_s = tuple(result["starts_s"])
    return _read(WindowEmbeddings, {**result, "embeddings": embeddings, "starts_s": starts_s})


def read_probe(result: Mapping[str, Any]) -> ProbeResult:
    """The result of ``probe``."""
    return _read(ProbeResult, result)


def read_warnings(values: Iterable[Mapping[str, Any]]) -> Warnings:
    """The warnings of a result."""
    return tuple(
        AudioWarning(
            value["kind"],
            value["message"],
            {name: more for name, more in value.items() if name not in ("kind", "message")},
        )
        for value in values
    )


def _numbers(packed: bytes) -> Numbers:
    return struct.unpack(f"<{len(packed) // _BYTES_PER_NUMBER}f", packed)


def _read(kind: type[_T], values: Mapping[str, Any]) -> _T:
    # A later version's child may tell more, and an earlier one less.
    known = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    if "warnings" in known:
        known["warnings"] = read_warnings(known["warnings"])
    return kind(**known)
