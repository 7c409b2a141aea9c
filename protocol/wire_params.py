"""Params from the maps of the wire, checked, and back to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TypedDict

from protocol.errors import InvalidParams, InvalidRequest
from protocol.fields import BYTES_IN_TEXT, MAX_INTEGER, Fields, as_fields
from protocol.params import (
    Audio,
    CancelParams,
    Channel,
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    FileAudio,
    HealthParams,
    MetricsParams,
    Params,
    PathAudio,
    PcmAudio,
    ProbeParams,
    RequestId,
    ScoreParams,
    Segment,
    ShutdownParams,
    StoredEmbedding,
)


class _Asked(TypedDict):
    start_s: float | None
    end_s: float | None
    channel: Channel | None
    strict: bool


MAX_ID_BYTES = 64
MAX_EMBEDDING_BYTES = 16 * 1024


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
        # An older child knows no such option, and need not when it is not wanted.
        and not (value is False and field.default is False)
    }


def _written(value: object) -> object:
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, (PcmAudio, FileAudio, PathAudio, StoredEmbedding)):
        return {
            field.name: _path_to_wire(inner) if field.name == "path" else inner
            for field in fields(value)
            if (inner := getattr(value, field.name)) is not None and inner is not False
        }
    return value


def _path_to_wire(path: str) -> str | bytes:
    as_bytes = path.encode(errors=BYTES_IN_TEXT)
    try:
        return as_bytes.decode()
    except UnicodeDecodeError:
        return as_bytes


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
        progress=values.boolean("progress", default=False),
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
        progress=values.boolean("progress", default=False),
    )


def _read_embed_segments(values: Fields) -> EmbedSegmentsParams:
    audio = _read_audio(values.map("audio"))
    if audio.start_s is not None or audio.end_s is not None:
        raise InvalidParams(
            "params.audio has start_s or end_s: in embed_segments the segments say which parts"
        )
    segments = values.array("segments")
    if not segments:
        raise InvalidParams("params.segments is empty: send at least one segment")
    return EmbedSegmentsParams(
        audio=audio,
        segments=tuple(
            _read_segment(segment, f"params.segments[{index}]")
            for index, segment in enumerate(segments)
        ),
        normalize=values.boolean("normalize", default=True),
        deadline_ms=_read_duration_ms(values, "deadline_ms"),
        progress=values.boolean("progress", default=False),
    )


def _read_segment(value: object, place: str) -> Segment:
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidParams(f"{place} must be an array of two numbers, its start and its end")
    ends = Fields({"start_s": value[0], "end_s": value[1]}, place)
    return ends.required_real("start_s"), ends.required_real("end_s")


def _read_probe(values: Fields) -> ProbeParams:
    audio = _read_audio(values.map("audio"))
    if audio.start_s is not None or audio.end_s is not None or audio.channel is not None:
        raise InvalidParams(
            "params.audio has start_s, end_s or channel: probe tells of the whole audio"
        )
    return ProbeParams(audio=audio, deadline_ms=_read_duration_ms(values, "deadline_ms"))


def _read_score(values: Fields) -> ScoreParams:
    a, b = (_read_voice(values.map(side)) for side in ("a", "b"))
    return ScoreParams(a=a, b=b)


def _read_shutdown(values: Fields) -> ShutdownParams:
    return ShutdownParams(drain_ms=_read_duration_ms(values, "drain_ms"))


_READERS: dict[str, Callable[[Fields], Params]] = {
    "embed": _read_embed,
    "embed_batch": _read_embed_batch,
    "embed_windows": _read_embed_windows,
    "embed_segments": _read_embed_segments,
    "probe": _read_probe,
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
            **_read_asked(values),
        )
    elif sources == ["file"]:
        audio = FileAudio(file=values.binary("file"), **_read_asked(values))
    else:
        audio = PathAudio(path=values.path("path"), **_read_asked(values))
    values.finish()
    return audio


def _read_asked(values: Fields) -> _Asked:
    """What is asked of an audio, whatever it is."""
    return {
        "start_s": values.real("start_s"),
        "end_s": values.real("end_s"),
        "channel": _read_channel(values),
        "strict": values.boolean("strict", default=False),
    }


def _read_channel(values: Fields) -> Channel | None:
    channel = values.value("channel")
    if channel is None or channel == "mix":
        return channel
    if isinstance(channel, int) and not isinstance(channel, bool) and 0 <= channel <= MAX_INTEGER:
        return channel
    raise InvalidParams(
        f'{values.place}.channel must be "mix" or the number of a channel, from 0, not '
        f"{channel!r:.60}"
    )


def _read_duration_ms(values: Fields, name: str) -> float | None:
    duration_ms = values.real(name)
    if duration_ms is not None and duration_ms < 0:
        raise InvalidParams(f"params.{name} must not be below 0, but is {duration_ms}")
    return duration_ms
