"""Audio, voices, and what may be asked of any of them, from the maps of the wire, checked."""

from __future__ import annotations

from typing import TypedDict, get_args

from protocol.errors import InvalidParams
from protocol.fields import MAX_INTEGER, Fields
from protocol.params import (
    Audio,
    Channel,
    FileAudio,
    PathAudio,
    PcmAudio,
    Segment,
    SpeechUse,
    StoredEmbedding,
    Voice,
)

MAX_EMBEDDING_BYTES = 16 * 1024


class _Asked(TypedDict):
    start_s: float | None
    end_s: float | None
    channel: Channel | None
    strict: bool


class OperatingPoint(TypedDict):
    """See ``ScoreParams``."""

    far: float | None
    prior: float | None


def read_voice(values: Fields) -> Voice:
    """An audio, or a stored embedding."""
    return read_stored(values) if "embedding" in values else read_audio(values)


def read_stored(values: Fields) -> StoredEmbedding:
    """What the host kept."""
    voice = StoredEmbedding(
        values.binary("embedding"), values.text("fingerprint"), values.real("speech_s")
    )
    values.finish()
    n_bytes = len(voice.embedding)
    if n_bytes % 4 or not 4 <= n_bytes <= MAX_EMBEDDING_BYTES:
        raise InvalidParams(
            f"{values.place}.embedding has {n_bytes} bytes: it must hold whole 32-bit floats, "
            f"{MAX_EMBEDDING_BYTES} bytes at most"
        )
    if voice.speech_s is not None and voice.speech_s < 0:
        raise InvalidParams(f"{values.place}.speech_s must not be below 0, but is {voice.speech_s}")
    return voice


def read_audio(values: Fields) -> Audio:
    """PCM, a file's bytes or a path; raises ``InvalidParams`` for anything else."""
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
        "channel": read_channel(values),
        "strict": values.boolean("strict", default=False),
    }


def read_channel(values: Fields) -> Channel | None:
    """One channel, or the mean of all; None: nothing is said of it."""
    channel = values.value("channel")
    if channel is None or channel == "mix":
        return channel
    if isinstance(channel, int) and not isinstance(channel, bool) and 0 <= channel <= MAX_INTEGER:
        return channel
    raise InvalidParams(
        f'{values.place}.channel must be "mix" or the number of a channel, from 0, not '
        f"{channel!r:.60}"
    )


def read_segment(value: object, place: str) -> Segment:
    """A pair of seconds; whether it lies in its audio is not known here."""
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidParams(f"{place} must be an array of two numbers, its start and its end")
    ends = Fields({"start_s": value[0], "end_s": value[1]}, place)
    return ends.required_real("start_s"), ends.required_real("end_s")


def read_duration_ms(values: Fields, name: str) -> float | None:
    """An optional time that is not below 0."""
    duration_ms = values.real(name)
    if duration_ms is not None and duration_ms < 0:
        raise InvalidParams(f"params.{name} must not be below 0, but is {duration_ms}")
    return duration_ms


def read_speech_use(values: Fields, default: SpeechUse) -> SpeechUse:
    """What of the audio is to be embedded."""
    if "speech" not in values:
        return default
    text = values.text("speech")
    for use in get_args(SpeechUse):
        if text == use:
            return use  # type: ignore[no-any-return]  # get_args gives what the alias lists
    raise InvalidParams(f"params.speech must be auto, all or require, not {text!r:.60}")


def read_operating_point(values: Fields) -> OperatingPoint:
    """Where "the same person" begins, as the host has it; both absent: as the child has it."""
    asked: OperatingPoint = {"far": values.real("far"), "prior": values.real("prior")}
    for name, share in asked.items():
        if share is not None and not 0 < share < 1:  # type: ignore[operator]
            raise InvalidParams(f"params.{name} must be above 0 and below 1, but is {share}")
    if asked["far"] is not None and asked["prior"] is not None:
        raise InvalidParams("params has far and prior: give one of the two")
    return asked
