"""The params of ``diarize`` from the map of the wire, checked."""

from __future__ import annotations

from protocol.diarization import DiarizeParams
from protocol.errors import InvalidParams
from protocol.fields import Fields
from protocol.wire_audio import read_audio, read_duration_ms

MAX_SPEAKERS = 100


def read_diarize(values: Fields) -> DiarizeParams:
    """The params of ``diarize``; raises ``InvalidParams``."""
    exactly, least, most = read_speaker_counts(values)
    return DiarizeParams(
        audio=read_audio(values.map("audio")),
        n_speakers=exactly,
        min_speakers=least,
        max_speakers=most,
        identify=values.boolean("identify", default=False),
        exclusive=values.boolean("exclusive", default=False),
        deadline_ms=read_duration_ms(values, "deadline_ms"),
        progress=values.boolean("progress", default=False),
    )


def read_speaker_counts(values: Fields) -> tuple[int | None, int | None, int | None]:
    """How many speakers there are; or at least, and at most."""
    exactly, least, most = (
        _read_count(values, name) for name in ("n_speakers", "min_speakers", "max_speakers")
    )
    if exactly is not None and (least is not None or most is not None):
        raise InvalidParams("params has n_speakers, and min_speakers or max_speakers: send one")
    if least is not None and most is not None and least > most:
        raise InvalidParams(f"min_speakers ({least}) must not be above max_speakers ({most})")
    return exactly, least, most


def _read_count(values: Fields, name: str) -> int | None:
    if name not in values:
        return None
    count = values.integer(name)
    if not 1 <= count <= MAX_SPEAKERS:
        raise InvalidParams(f"params.{name} must be 1 to {MAX_SPEAKERS}, but is {count}")
    return count
