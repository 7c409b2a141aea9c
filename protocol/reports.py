"""What the child tells: the results of the methods, and the notifications. Units stand in names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from protocol.params import RequestId
from protocol.quality import Quality

State: TypeAlias = Literal["loading", "ready", "degraded", "draining", "failed"]
Phase: TypeAlias = Literal["download", "load", "convert", "warmup"]
Unit: TypeAlias = Literal["audios", "windows", "segments", "seconds"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step of the start is; ``total`` is None where it is not known."""

    method: ClassVar[str] = "progress"
    phase: Phase
    done: int
    total: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class RequestProgress:
    """How far the request ``id`` is.

    The total of windows and seconds is what the file's header tells, until the file was read to its
    end; None where it tells nothing.
    """

    method: ClassVar[str] = "progress"
    id: RequestId
    done: int
    total: int | None
    unit: Unit


@dataclass(frozen=True, slots=True)
class Gpu:
    """One CUDA device."""

    index: int
    name: str
    memory_total_bytes: int
    memory_free_bytes: int
    compute_capability: str


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor: ``cores`` that this process may use, and its widest vector instructions."""

    name: str
    cores: int
    simd: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Whether the device gave the reference embedding of a fixed waveform, and how nearly."""

    passed: bool
    cosine: float


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """Which device serves, and why that one."""

    requested: str
    selected: str | None
    reason: str
    runtime: str | None
    precision: str | None
    threads: int | None
    gpus: tuple[Gpu, ...]
    driver: str | None
    torch: str | None
    cuda: str | None
    cpu: Cpu
    self_test: SelfTest | None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """Which model serves; ``fingerprint`` names the space its embeddings lie in."""

    id: str
    embedding_dim: int
    sample_rate_hz: int
    min_duration_s: float
    max_duration_s: float
    fingerprint: str | None
    weights_sha256: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What the process takes; GPU memory as torch's allocator counts it."""

    rss_bytes: int
    gpu_peak_reserved_bytes: int | None
    uptime_s: float


@dataclass(frozen=True, slots=True)
class Activity:
    """What it is doing: audios that wait, audios in flight in all, and the device's busy time."""

    queued: int
    in_flight: int
    device_busy_ms: float


@dataclass(frozen=True, slots=True)
class HealthError:
    """Why a child fails; ``retryable``: whether another, started in the same way, may do better."""

    code: int
    kind: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Health:
    """The state and everything that explains it; ``error`` belongs to the state ``failed``."""

    method: ClassVar[str] = "health"
    state: State
    reason: str
    device: DeviceReport | None
    model: ModelReport | None
    process: ProcessReport
    activity: Activity
    timings: dict[str, float]
    error: HealthError | None = None


@dataclass(frozen=True, slots=True)
class AudioWarning:
    """What is odd about an audio that was decoded all the same.

    ``kind`` is a stable word; ``details`` are further fields beside these.
    """

    kind: str
    message: str
    details: Mapping[str, int | float | str | list[str]]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an audio is; ``bits`` of a sample, None where that means nothing."""

    format: str
    codec: str
    duration_s: float
    sample_rate_hz: int
    channels: int
    bits: int | None
    warnings: tuple[AudioWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbedTimings:
    """Where one request's time went."""

    decode_ms: float
    queue_ms: float
    compute_ms: float


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """One embedding: ``dim`` x f32le.

    ``channel_correlation``, -1 to 1, is there where two channels were mixed; ``quality`` is that
    of the whole audio.
    """

    embedding: bytes
    dim: int
    model: str
    fingerprint: str
    normalized: bool
    duration_s: float
    device: str
    batch_size: int
    timings: EmbedTimings
    channel_correlation: float | None = None
    warnings: tuple[AudioWarning, ...] = ()
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class EmbedWindowsResult:
    """``count`` embeddings in one bin of count x dim x f32le; ``starts_s`` in the audio's time."""

    embeddings: bytes
    count: int
    dim: int
    starts_s: tuple[float, ...]
    window_s: float
    hop_s: float
    model: str
    fingerprint: str
    normalized: bool
    duration_s: float
    device: str
    timings: EmbedTimings
    channel_correlation: float | None = None
    warnings: tuple[AudioWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class ManyResults:
    """Of a batch or of segments: an entry for each, a map with ``result`` or ``error``.

    ``warnings`` are those of the one audio that has the segments.
    """

    results: tuple[dict[str, object], ...]
    warnings: tuple[AudioWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """How alike two voices are: the cosine of their embeddings, -1 to 1, and what it means.

    What it means is None where that cannot be told: no calibration is there for the model, it is
    not known how much speech there was, or one of the two has less than 0.5 s of it.

    Attributes:
        llr: how many times as probable this cosine is of one person as of two, as a logarithm (to
            the base e).
        probability: that it is one person.
        same: whether ``llr`` reaches ``threshold``.
        at: what the threshold was chosen for: ``far 1 %``, ``prior 0.01``.
        quality_a, quality_b: of the audios that were sent.
    """

    cosine: float
    fingerprint: str
    warnings: tuple[AudioWarning, ...] = ()
    llr: float | None = None
    probability: float | None = None
    same: bool | None = None
    threshold: float | None = None
    at: str | None = None
    quality_a: Quality | None = None
    quality_b: Quality | None = None


@dataclass(frozen=True, slots=True)
class ShutdownResult:
    """How many requests were finished and cancelled since the shutdown was asked for."""

    finished: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the times of the audios that the device ran last: half of them took ``p50`` or less."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counts since the start, and times of late. ``outcomes``: requests by ``ok`` or error kind.

    ``batch_sizes``: how many batches the device ran, by how many audios were in them.
    ``padding_share``: of what it computed, 0 to 1.
    """

    uptime_s: float
    outcomes: dict[str, int]
    queued: int
    in_flight: int
    queued_bytes: int
    oldest_queued_ms: float
    batches: int
    batch_sizes: dict[str, int]
    padding_share: float
    embeddings: int
    audio_s: float
    device_busy_ms: float
    audio_s_per_device_s: float
    decode_ms: Percentiles | None
    queue_ms: Percentiles | None
    compute_ms: Percentiles | None
    rss_bytes: int
    gpu_peak_reserved_bytes: int | None
