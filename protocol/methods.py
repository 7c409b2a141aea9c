"""All that a host may ask for, by what it takes to answer it."""

from __future__ import annotations

from typing import TypeAlias

from protocol.diarization import DiarizeParams
from protocol.gallery_params import EnrollParams, GalleryParams, IdentifyParams, VerifyParams
from protocol.params import (
    Audio,
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    HealthParams,
    MetricsParams,
    ProbeParams,
    ScoreParams,
    ShutdownParams,
    SpeechParams,
    StoredEmbedding,
)
from protocol.streams import StreamCloseParams, StreamParams

EmbeddingParams: TypeAlias = (
    EmbedParams | EmbedBatchParams | EmbedWindowsParams | EmbedSegmentsParams | ScoreParams
)
# What may have audio to be decoded, or asks the gallery.
WorkParams: TypeAlias = EmbeddingParams | ProbeParams | SpeechParams | DiarizeParams | GalleryParams
Params: TypeAlias = (
    WorkParams | StreamParams | StreamCloseParams | HealthParams | MetricsParams | ShutdownParams
)


def audios_of(params: WorkParams) -> tuple[Audio, ...]:
    """The audios that a request sends, in the order in which it has them."""
    match params:
        case EmbedBatchParams(items=items):
            return items
        case ScoreParams(a=a, b=b):
            voices = (a, b)
            return tuple(voice for voice in voices if not isinstance(voice, StoredEmbedding))
        case VerifyParams(audio=voice) | IdentifyParams(audio=voice):
            return () if isinstance(voice, StoredEmbedding) else (voice,)
        case EnrollParams(audio=audio):
            return () if audio is None else (audio,)
        case (
            EmbedParams(audio=sent)
            | EmbedWindowsParams(audio=sent)
            | EmbedSegmentsParams(audio=sent)
            | ProbeParams(audio=sent)
            | SpeechParams(audio=sent)
            | DiarizeParams(audio=sent)
        ):
            return (sent,)
    return ()
