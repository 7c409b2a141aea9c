"""Params from the maps of the wire, checked, and back to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from protocol.errors import InvalidParams, InvalidRequest
from protocol.fields import BYTES_IN_TEXT, MAX_INTEGER, Fields, as_fields
from protocol.methods import Params
from protocol.params import (
    CancelParams,
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    FileAudio,
    HealthParams,
    MetricsParams,
    PathAudio,
    PcmAudio,
    ProbeParams,
    RequestId,
    ScoreParams,
    ShutdownParams,
    SpeechParams,
    StoredEmbedding,
)
from protocol.streams import KnownSpeaker
from protocol.wire_audio import (
    read_audio,
    read_duration_ms,
    read_operating_point,
    read_segment,
    read_speech_use,
    read_voice,
)
from protocol.wire_diarization import read_diarize
from protocol.wire_gallery import GALLERY_READERS
from protocol.wire_streams import STREAM_READERS

MAX_ID_BYTES = 64


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


_UNSAID = (False, "all", "auto", ())


def write_params(params: Params | CancelParams) -> dict[str, object]:
    """The wire's map for ``params``: what ``read_params`` reads; absent options are left out."""
    return {
        field.name: _written(value)
        for field in fields(params)
        if (value := getattr(params, field.name)) is not None
        # An older child knows no such option, and need not when it is not wanted.
        and not (value in _UNSAID and value == field.default)
    }


def _written(value: object) -> object:
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, (PcmAudio, FileAudio, PathAudio, StoredEmbedding, KnownSpeaker)):
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
        audio=read_audio(values.map("audio")),
        normalize=values.boolean("normalize", default=True),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        speech=read_speech_use(values, "all"),
    )


def _read_embed_batch(values: Fields) -> EmbedBatchParams:
    items = values.array("items")
    if not items:
        raise InvalidParams("params.items is empty: send at least one audio")
    return EmbedBatchParams(
        items=tuple(
            read_audio(as_fields(item, f"params.items[{index}]"))
            for index, item in enumerate(items)
        ),
        normalize=values.boolean("normalize", default=True),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        progress=values.boolean("progress", default=False),
        speech=read_speech_use(values, "all"),
    )


def _read_embed_windows(values: Fields) -> EmbedWindowsParams:
    window_s, hop_s = values.required_real("window_s"), values.required_real("hop_s")
    if window_s <= 0 or hop_s <= 0:
        raise InvalidParams(f"window_s ({window_s}) and hop_s ({hop_s}) must be above 0")
    return EmbedWindowsParams(
        audio=read_audio(values.map("audio")),
        window_s=window_s,
        hop_s=hop_s,
        normalize=values.boolean("normalize", default=True),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        progress=values.boolean("progress", default=False),
    )


def _read_embed_segments(values: Fields) -> EmbedSegmentsParams:
    audio = read_audio(values.map("audio"))
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
            read_segment(segment, f"params.segments[{index}]")
            for index, segment in enumerate(segments)
        ),
        normalize=values.boolean("normalize", default=True),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        progress=values.boolean("progress", default=False),
    )


def _read_probe(values: Fields) -> ProbeParams:
    audio = read_audio(values.map("audio"))
    if audio.start_s is not None or audio.end_s is not None or audio.channel is not None:
        raise InvalidParams(
            "params.audio has start_s, end_s or channel: probe tells of the whole audio"
        )
    return ProbeParams(audio=audio, deadline_ms=read_duration_ms(values, "deadline_ms"))


def _read_speech(values: Fields) -> SpeechParams:
    return SpeechParams(
        audio=read_audio(values.map("audio")), deadline_ms=read_duration_ms(values, "deadline_ms")
    )


def _read_score(values: Fields) -> ScoreParams:
    a, b = (read_voice(values.map(side)) for side in ("a", "b"))
    return ScoreParams(
        a=a, b=b, speech=read_speech_use(values, "all"), **read_operating_point(values)
    )


def _read_shutdown(values: Fields) -> ShutdownParams:
    return ShutdownParams(drain_ms=read_duration_ms(values, "drain_ms"))


_READERS: dict[str, Callable[[Fields], Params]] = {
    "embed": _read_embed,
    "embed_batch": _read_embed_batch,
    "embed_windows": _read_embed_windows,
    "embed_segments": _read_embed_segments,
    "probe": _read_probe,
    "speech": _read_speech,
    "diarize": read_diarize,
    "score": _read_score,
    "health": lambda _: HealthParams(),
    "metrics": lambda _: MetricsParams(),
    "shutdown": _read_shutdown,
    **GALLERY_READERS,
    **STREAM_READERS,
}
METHODS = tuple(_READERS)
