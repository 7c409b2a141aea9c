"""What a host asks for: audio, and the params of each method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

RequestId: TypeAlias = int | str
# One of them, or the mean of all.
Channel: TypeAlias = int | Literal["mix"]
# Start and end, in seconds.
Segment: TypeAlias = tuple[float, float]
# What of an audio is embedded: its speech alone, all of it, or all of it if it has enough speech.
SpeechUse: TypeAlias = Literal["auto", "all", "require"]


@dataclass(frozen=True, slots=True)
class PcmAudio:
    """Raw samples: ``pcm`` holds whole frames of ``channels`` interleaved samples.

    Of every audio: ``channel`` is what is embedded of it, ``mix`` unless it says so. ``strict``
    refuses a file that would be decoded with a warning.
    """

    pcm: bytes
    encoding: str
    sample_rate_hz: int
    channels: int
    start_s: float | None = None
    end_s: float | None = None
    channel: Channel | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class FileAudio:
    """The bytes of an audio file."""

    file: bytes
    start_s: float | None = None
    end_s: float | None = None
    channel: Channel | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class PathAudio:
    """The absolute path of an audio file on the child's machine.

    Bytes that are no UTF-8, which names on Linux may have, are escaped as PEP 383 has it.
    """

    path: str
    start_s: float | None = None
    end_s: float | None = None
    channel: Channel | None = None
    strict: bool = False


Audio: TypeAlias = PcmAudio | FileAudio | PathAudio


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """An embedding that the host kept: dim x f32le, and the fingerprint it came with.

    ``speech_s``: of how much speech it was made, as its quality told.
    """

    embedding: bytes
    fingerprint: str
    speech_s: float | None = None


# An audio to be embedded, or what was embedded before.
Voice: TypeAlias = Audio | StoredEmbedding


@dataclass(frozen=True, slots=True)
class EmbedParams:
    """``embed``: one audio to one embedding."""

    method: ClassVar[str] = "embed"
    audio: Audio
    normalize: bool = True
    deadline_ms: float | None = None
    speech: SpeechUse = "all"


@dataclass(frozen=True, slots=True)
class EmbedBatchParams:
    """``embed_batch``: some audios to as many results, in order."""

    method: ClassVar[str] = "embed_batch"
    items: tuple[Audio, ...]
    normalize: bool = True
    deadline_ms: float | None = None
    progress: bool = False
    speech: SpeechUse = "all"


@dataclass(frozen=True, slots=True)
class EmbedWindowsParams:
    """``embed_windows``: one embedding for each window of ``window_s``, every ``hop_s``."""

    method: ClassVar[str] = "embed_windows"
    audio: Audio
    window_s: float
    hop_s: float
    normalize: bool = True
    deadline_ms: float | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class EmbedSegmentsParams:
    """``embed_segments``: one embedding for each of many parts of one audio.

    ``segments``: pairs of start and end in seconds of the audio, in any order, any overlap.
    """

    method: ClassVar[str] = "embed_segments"
    audio: Audio
    segments: tuple[Segment, ...]
    normalize: bool = True
    deadline_ms: float | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class ProbeParams:
    """``probe``: what an audio is, without embedding it."""

    method: ClassVar[str] = "probe"
    audio: Audio
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechParams:
    """``speech``: where in an audio somebody speaks."""

    method: ClassVar[str] = "speech"
    audio: Audio
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreParams:
    """``score``: how alike two voices are.

    At most one of ``far`` and ``prior``, each above 0 and below 1, says where "the same person"
    begins: the share of strangers that may be accepted, or how probable it is, before anything is
    heard, that it is the same person.
    """

    method: ClassVar[str] = "score"
    a: Voice
    b: Voice
    speech: SpeechUse = "all"
    far: float | None = None
    prior: float | None = None


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
