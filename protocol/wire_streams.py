"""The params of the methods of streams from the map of the wire, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from protocol.errors import InvalidParams
from protocol.fields import Fields, as_fields
from protocol.streams import (
    Detail,
    KnownSpeaker,
    StreamCloseParams,
    StreamOpenParams,
    StreamPushParams,
)
from protocol.wire_audio import read_channel, read_duration_ms, read_stored
from protocol.wire_diarization import MAX_SPEAKERS, read_speaker_counts

MAX_NAME_BYTES = 64


def _read_open(values: Fields) -> StreamOpenParams:
    """The params of ``stream_open``; raises ``InvalidParams``."""
    start_s = values.real("start_s") or 0.0
    if start_s < 0:
        raise InvalidParams(f"params.start_s must not be below 0, but is {start_s}")
    return StreamOpenParams(
        sample_rate_hz=values.integer("sample_rate_hz"),
        encoding=values.text("encoding"),
        channels=values.integer("channels") if "channels" in values else 1,
        channel=read_channel(values),
        identify=values.boolean("identify", default=False),
        detail=_read_detail(values),
        start_s=start_s,
        speakers=_read_speakers(values),
    )


def _read_push(values: Fields) -> StreamPushParams:
    return StreamPushParams(_read_name(values, "stream"), values.binary("pcm"))


def _read_close(values: Fields) -> StreamCloseParams:
    exactly, least, most = read_speaker_counts(values)
    return StreamCloseParams(
        stream=_read_name(values, "stream"),
        n_speakers=exactly,
        min_speakers=least,
        max_speakers=most,
        exclusive=values.boolean("exclusive", default=False),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
    )


def _read_detail(values: Fields) -> Detail:
    if "detail" not in values:
        return "turns"
    detail = values.text("detail")
    for known in get_args(Detail):
        if detail == known:
            found: Detail = known
            return found
    raise InvalidParams(f"params.detail must be turns or levels, not {detail!r:.40}")


def _read_speakers(values: Fields) -> tuple[KnownSpeaker, ...]:
    if "speakers" not in values:
        return ()
    items = values.array("speakers")
    if len(items) > MAX_SPEAKERS:
        raise InvalidParams(f"params.speakers has {len(items)}, and may have {MAX_SPEAKERS}")
    speakers = tuple(
        _read_speaker(as_fields(item, f"params.speakers[{index}]"))
        for index, item in enumerate(items)
    )
    labels = [speaker.label for speaker in speakers]
    if len(set(labels)) < len(labels):
        raise InvalidParams("params.speakers has a label twice")
    return speakers


def _read_speaker(values: Fields) -> KnownSpeaker:
    label = _read_name(values, "label")
    stored = read_stored(values)
    if stored.speech_s is None:
        raise InvalidParams(f"{values.place}.speech_s is missing", kind="missing_field")
    return KnownSpeaker(label, stored.embedding, stored.fingerprint, stored.speech_s)


def _read_name(values: Fields, name: str) -> str:
    text = values.text(name)
    if not 1 <= len(text.encode()) <= MAX_NAME_BYTES:
        raise InvalidParams(f"{values.place}.{name} must have 1 to {MAX_NAME_BYTES} bytes")
    return text


STREAM_READERS: dict[
    str, Callable[[Fields], StreamOpenParams | StreamPushParams | StreamCloseParams]
] = {"stream_open": _read_open, "stream_push": _read_push, "stream_close": _read_close}
