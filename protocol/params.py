"""What a host asks for: audio, and the params of each method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

from protocol.errors import InvalidParams, InvalidRequest
from protocol.fields import MAX_INTEGER, Fields, as_fields

MAX_ID_BYTES = 64
MAX_EMBEDDING_BYTES = 16 * 1024

RequestId: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class PcmAudio:
    """Raw samples: ``pcm`` holds whole frames of ``channels`` interleaved samples."""

    pcm: bytes
    encoding: str
    sample_rate_hz: int
    channels: int
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class FileAudio:
    """The bytes of a WAV, FLAC, OGG or MP3 file."""

    file: bytes
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class PathAudio:
    """The absolute path of such a file on the child's machine."""

    path: str
    start_s: float | None = None
    end_s: float | None = None


Audio: TypeAlias = PcmAudio | FileAudio | PathAudio


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """An embedding that the host kept: dim x f32le, and the fingerprint it came with."""

    embedding: bytes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class EmbedParams:
    """``embed``: one audio to one embedding."""

    method: ClassVar[str] = "embed"
    audio: Audio
    normalize: bool = True
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class EmbedBatchParams:
    """``embed_batch``: some audios to as many results, in order."""

    method: ClassVar[str] = "embed_batch"
    items: tuple[Audio, ...]
    normalize: bool = True
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class EmbedWindowsParams:
    """``embed_windows``: one embedding for each window of ``window_s``, every ``hop_s``."""

    method: ClassVar[str] = "embed_windows"
    audio: Audio
    window_s: float
    hop_s: float
    normalize: bool = True
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreParams:
    """``score``: the cosine of two voices, each an audio or a stored embedding."""

    method: ClassVar[str] = "score"
    a: Audio | StoredEmbedding
    b: Audio | StoredEmbedding


@dataclass(frozen=True, slots=True)
class HealthParams:
    """``health``: the report that the notification of that name carries."""

    method: ClassVar[str] = "health"


@dataclass(frozen=True, slots=True)
class MetricsParams:
    """``metrics``: counts and times since the start."""

    method: ClassVar[str] = "metrics"


@dataclass(frozen=True, slots=True)
class ShutdownParams:
    """``shutdown``: finish what is in flight for up to ``drain_ms``, answer all, exit."""

    method: ClassVar[str] = "shutdown"
    drain_ms: float | None = None


@dataclass(frozen=True, slots=True)
class CancelParams:
    """``cancel``, a notification: the request ``id`` is no longer wanted."""

    method: ClassVar[str] = "cancel"
    id: RequestId


# What may have audio to be embedded.
WorkParams: TypeAlias = EmbedParams | EmbedBatchParams | EmbedWindowsParams | ScoreParams
Params: TypeAlias = WorkParams | HealthParams | MetricsParams | ShutdownParams


def audios_of(params: WorkParams) -> tuple[Audio, ...]:
    """The audios that a request sends, in the order in which it has them."""
    if isinstance(params, EmbedBatchParams):
        return params.items
    if isinstance(params, ScoreParams):
        return tuple(
            voice for voice in (params.a, params.b) if not isinstance(voice, StoredEmbedding)
        )
    return (params.audio,)


def read_request_id(value: object) -> RequestId:
    """``value`` as a request's id; raises ``InvalidRequest`` if it cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER:
        return value
    if isinstance(value, str) and 1 <= len(value.encode()) <= MAX_ID_BYTES:
        return value
    raise InvalidRequest(
        f"the id {value!r:.80} must be an integer from 0 to {MAX_INTEGER} "
        f"or a string of 1 to {MAX_ID_BYTES} bytes",
        kind="bad_id",
    )


def read_params(method: str, values: Fields) -> Params:
    """The params of ``method``, one of ``METHODS``; raises ``InvalidParams``."""
    params = _READERS[method](values)
    values.finish()
    return params


def read_cancel(values: Fields) -> CancelParams:
    """The params of the notification ``cancel``; raises ``InvalidParams`` or ``InvalidRequest``."""
    cancel = CancelParams(read_request_id(values.value("id")))
    values.finish()
    return cancel


def write_params(params: Params | CancelParams) -> dict[str, object]:
    """The wire's map for ``params``: what ``read_params`` reads; absent options are left out."""
    return {
        field.name: _written(value)
        for field in fields(params)
        if (value := getattr(params, field.name)) is not None
    }


def _written(value: object) -> object:
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, (PcmAudio, FileAudio, PathAudio, StoredEmbedding)):
        return {
            field.name: inner
            for field in fields(value)
            if (inner := getattr(value, field.name)) is not None
        }
    return value


def _read_embed(values: Fields) -> EmbedParams:
    return EmbedParams(
        audio=_read_audio(values.map("audio")),
        normalize=values.boolean("normalize", default=True),
        deadline_ms=_read_duration_ms(values, "deadline_ms"),
    )


def _read_embed_batch(values: Fields) -> EmbedBatchParams:
    items = values.array("items")
    if not items:
        raise InvalidParams("params.items is empty: send at least one audio")
    return EmbedBatchParams(
        items=tuple(
            _read_audio(as_fields(item, f"params.items[{index}]"))
            for index, item in enumerate(items)
        ),
        normalize=values.boolean("normalize", default=True),
        deadline_ms=_read_duration_ms(values, "deadline_ms"),
    )


def _read_embed_windows(values: Fields) -> EmbedWindowsParams:
    window_s, hop_s = values.required_real("window_s"), values.required_real("hop_s")
    if window_s <= 0 or hop_s <= 0:
        raise InvalidParams(f"window_s ({window_s}) and hop_s ({hop_s}) must be above 0")
    return EmbedWindowsParams(
        audio=_read_audio(values.map("audio")),
        window_s=window_s,
        hop_s=hop_s,
        normalize=values.boolean("normalize", default=True),
        deadline_ms=_read_duration_ms(values, "deadline_ms"),
    )


def _read_score(values: Fields) -> ScoreParams:
    a, b = (_read_voice(values.map(side)) for side in ("a", "b"))
    return ScoreParams(a=a, b=b)


def _read_shutdown(values: Fields) -> ShutdownParams:
    return ShutdownParams(drain_ms=_read_duration_ms(values, "drain_ms"))


_READERS: dict[str, Callable[[Fields], Params]] = {
    "embed": _read_embed,
    "embed_batch": _read_embed_batch,
    "embed_windows": _read_embed_windows,
    "score": _read_score,
    "health": lambda _: HealthParams(),
    "metrics": lambda _: MetricsParams(),
    "shutdown": _read_shutdown,
}
METHODS = tuple(_READERS)


def _read_voice(values: Fields) -> Audio | StoredEmbedding:
    if "embedding" not in values:
        return _read_audio(values)
    voice = StoredEmbedding(values.binary("embedding"), values.text("fingerprint"))
    values.finish()
    n_bytes = len(voice.embedding)
    if n_bytes % 4 or not 4 <= n_bytes <= MAX_EMBEDDING_BYTES:
        raise InvalidParams(
            f"{values.place}.embedding has {n_bytes} bytes: it must hold whole 32-bit floats, "
            f"{MAX_EMBEDDING_BYTES} bytes at most"
        )
    return voice


def _read_audio(values: Fields) -> Audio:
    sources = [name for name in ("pcm", "file", "path") if name in values]
    if len(sources) != 1:
        raise InvalidParams(
            f"{values.place} must have exactly one of pcm, file and path, "
            f"not {' and '.join(sources) or 'none'}"
        )
    audio: Audio
    if sources == ["pcm"]:
        audio = PcmAudio(
            pcm=values.binary("pcm"),
            encoding=values.text("encoding"),
            sample_rate_hz=values.integer("sample_rate_hz"),
            channels=values.integer("channels"),
            start_s=values.real("start_s"),
            end_s=values.real("end_s"),
        )
    elif sources == ["file"]:
        audio = FileAudio(values.binary("file"), values.real("start_s"), values.real("end_s"))
    else:
        audio = PathAudio(values.text("path"), values.real("start_s"), values.real("end_s"))
    values.finish()
    return audio


def _read_duration_ms(values: Fields, name: str) -> float | None:
    duration_ms = values.real(name)
    if duration_ms is not None and duration_ms < 0:
        raise InvalidParams(f"params.{name} must not be below 0, but is {duration_ms}")
    return duration_ms
