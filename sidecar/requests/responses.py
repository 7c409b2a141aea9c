"""From a finished job to the payload that answers it: pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from protocol.diarization import DiarizeResult
from protocol.errors import SidecarError
from protocol.gallery_reports import EnrollResult, GalleryResult, IdentifyResult, VerifyResult
from protocol.messages import encode_error, encode_result, error_map
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    ProbeParams,
    ScoreParams,
    SpeechParams,
    StoredEmbedding,
)
from protocol.quality import Quality, SpeechResult
from protocol.reports import (
    AudioWarning,
    EmbedResult,
    EmbedTimings,
    EmbedWindowsResult,
    ManyResults,
    ProbeResult,
    ScoreResult,
)
from protocol.wire_reports import to_wire
from sidecar.audio.waveform import Stereo
from sidecar.requests.jobs import Item, Job, StreamAnswer
from sidecar.requests.scoring import score
from sidecar.scores.calibration import Calibration
from sidecar.scores.decision import OperatingPoint

Answer: TypeAlias = (
    EmbedResult
    | EmbedWindowsResult
    | ProbeResult
    | ScoreResult
    | SpeechResult
    | DiarizeResult
    | GalleryResult
)


@dataclass(frozen=True, slots=True)
class Served:
    """By what the embeddings were made, and what their cosines mean; None: that is not known."""

    model: str
    fingerprint: str
    dim: int
    device: str
    sample_rate_hz: int
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A payload, and how the request came out: ``ok``, or the kind of its error."""

    payload: bytes
    outcome: str


def respond(job: Job, served: Served | None) -> Response:
    """What answers ``job``, all of whose items are done.

    ``served`` may be None as long as nothing was embedded.
    """
    params = job.params
    if isinstance(params, EmbedBatchParams):
        places = [source.items[0] if source.items else source.error for source in job.sources]
        return _respond_to_many(job, places, params.normalize, served)
    if isinstance(params, EmbedSegmentsParams):
        [source] = job.sources
        items = {item.index: item for item in source.items}
        if not items and source.error is not None:
            return _refuse(job, source.error)
        places = [items.get(index, source.error) for index in range(len(params.segments))]
        return _respond_to_many(job, places, params.normalize, served)
    fault = job.fault
    if fault is not None:
        return _refuse(job, fault)
    try:
        return Response(encode_result(job.id, _result(job, served)), "ok")
    except SidecarError as error:
        return _refuse(job, error)


def _respond_to_many(
    job: Job, places: Sequence[Item | SidecarError | None], normalize: bool, served: Served | None
) -> Response:
    """A result for each item in ``places``, and an error for each that has none.

    It came out as ``ok``, unless nothing was embedded: then as its first one did.
    """
    outcomes = [place.outcome if isinstance(place, Item) else place for place in places]
    errors = [outcome for outcome in outcomes if isinstance(outcome, SidecarError)]
    came_out_as = errors[0].kind if len(errors) == len(outcomes) else "ok"
    results = tuple(_entry(place, normalize, served) for place in places)
    warnings = job.sources[0].warnings if isinstance(job.params, EmbedSegmentsParams) else ()
    return Response(encode_result(job.id, ManyResults(results, warnings)), came_out_as)


def _refuse(job: Job, error: SidecarError) -> Response:
    return Response(encode_error(job.id, error), error.kind)


def _result(job: Job, served: Served | None) -> Answer:
    params = job.params
    if job.answer is not None:
        assert not isinstance(job.answer, SidecarError)  # it was sorted out before
        if isinstance(job.answer, StreamAnswer):
            assert job.answer.result is not None  # no other step is answered
            return job.answer.result
        return _with_warnings_of_audio(job, job.answer)
    if isinstance(params, (ProbeParams, SpeechParams)):
        [source] = job.sources
        assert source.told is not None
        return source.told
    assert served is not None
    if isinstance(params, EmbedParams):
        [item] = job.items
        return _embed_result(item, params.normalize, served)
    if isinstance(params, EmbedWindowsParams):
        return _windows_result(list(job.items), params, served)
    assert isinstance(params, ScoreParams)
    a, b = _voices(job, params, served)
    result = score(a, b, OperatingPoint(params.far, params.prior), served.calibration)
    quality_a, quality_b = _qualities(job, params)
    return replace(
        result,
        warnings=_warnings_of_voices(job, params),
        quality_a=quality_a,
        quality_b=quality_b,
    )


def _entry(
    entry: Item | SidecarError | None, normalize: bool, served: Served | None
) -> dict[str, object]:
    outcome = entry.outcome if isinstance(entry, Item) else entry
    if isinstance(outcome, SidecarError):
        return {"error": error_map(outcome)}
    assert isinstance(entry, Item)
    assert served is not None
    return {"result": to_wire(_embed_result(entry, normalize, served))}


def _embed_result(item: Item, normalize: bool, served: Served) -> EmbedResult:
    return EmbedResult(
        embedding=_packed(item, normalize),
        dim=served.dim,
        model=served.model,
        fingerprint=served.fingerprint,
        normalized=normalize,
        duration_s=item.n_samples / served.sample_rate_hz,
        device=served.device,
        batch_size=item.batch_size,
        timings=_timings([item]),
        channel_correlation=_correlation([item]),
        warnings=_warnings_of(item),
        quality=item.quality,
    )


def _windows_result(
    items: Sequence[Item], params: EmbedWindowsParams, served: Served
) -> EmbedWindowsResult:
    rate_hz = served.sample_rate_hz
    offset_s = params.audio.start_s or 0.0
    last = items[-1]
    return EmbedWindowsResult(
        embeddings=b"".join(_packed(item, params.normalize) for item in items),
        count=len(items),
        dim=served.dim,
        starts_s=tuple(offset_s + item.start_sample / rate_hz for item in items),
        window_s=params.window_s,
        hop_s=params.hop_s,
        model=served.model,
        fingerprint=served.fingerprint,
        normalized=params.normalize,
        duration_s=(last.start_sample + last.n_samples) / rate_hz,
        device=served.device,
        timings=_timings(items),
        channel_correlation=_correlation(items),
        warnings=(*items[0].source.warnings, *_warnings_of_windows(items)),
    )


def _correlation(items: Sequence[Item]) -> float | None:
    """How alike the two channels are of which all ``items`` were mixed."""
    mixed = [item.stereo for item in items if item.stereo is not None]
    if not mixed:
        return None
    return Stereo(
        left_right=math.fsum(stereo.left_right for stereo in mixed),
        left_left=math.fsum(stereo.left_left for stereo in mixed),
        right_right=math.fsum(stereo.right_right for stereo in mixed),
    ).correlation


def _warnings_of(item: Item) -> tuple[AudioWarning, ...]:
    """What is odd about an item; a segment's audio is told of beside all segments."""
    if isinstance(item.job.params, EmbedSegmentsParams):
        return item.warnings
    return (*item.source.warnings, *item.warnings)


def _warnings_of_windows(items: Sequence[Item]) -> tuple[AudioWarning, ...]:
    """One warning of each kind that windows have, with how many have it."""
    first: dict[str, AudioWarning] = {}
    counts: Counter[str] = Counter()
    for item in items:
        for warning in item.warnings:
            first.setdefault(warning.kind, warning)
            counts[warning.kind] += 1
    return tuple(
        replace(warning, details={**warning.details, "n_windows": counts[kind]})
        for kind, warning in first.items()
    )


def _warnings_of_voices(job: Job, params: ScoreParams) -> tuple[AudioWarning, ...]:
    """What is odd about the two audios, each warning with the voice that it is about."""
    made = job.items
    return tuple(
        replace(warning, details={**warning.details, "voice": side})
        for side, voice in (("a", params.a), ("b", params.b))
        if not isinstance(voice, StoredEmbedding)
        for warning in _warnings_of(next(made))
    )


def _with_warnings_of_audio(
    job: Job, answer: GalleryResult | DiarizeResult
) -> GalleryResult | DiarizeResult:
    """What the gallery says, with what is odd about the audio that it was asked about."""
    if not isinstance(answer, (EnrollResult, VerifyResult, IdentifyResult)):
        return answer
    odd = tuple(warning for item in job.items for warning in _warnings_of(item))
    return replace(answer, warnings=(*odd, *answer.warnings))


def _voices(job: Job, params: ScoreParams, served: Served) -> tuple[StoredEmbedding, ...]:
    made = job.items
    return tuple(
        voice if isinstance(voice, StoredEmbedding) else _stored(next(made), served)
        for voice in (params.a, params.b)
    )


def _stored(item: Item, served: Served) -> StoredEmbedding:
    speech_s = None if item.quality is None else item.quality.speech_s
    return StoredEmbedding(_packed(item, normalize=False), served.fingerprint, speech_s)


def _qualities(job: Job, params: ScoreParams) -> tuple[Quality | None, ...]:
    """Those of the two audios; None of what was embedded before."""
    made = job.items
    return tuple(
        None if isinstance(voice, StoredEmbedding) else next(made).quality
        for voice in (params.a, params.b)
    )


def _packed(item: Item, normalize: bool) -> bytes:
    assert item.outcome is not None
    assert not isinstance(item.outcome, SidecarError)  # they were sorted out before
    return item.outcome.packed(normalize=normalize)


def _timings(items: Sequence[Item]) -> EmbedTimings:
    first = min(items, key=lambda item: item.run_started_at)
    ended_at = max(item.run_ended_at for item in items)
    return EmbedTimings(
        decode_ms=1000 * first.decode_s,
        queue_ms=1000 * first.queue_s,
        compute_ms=1000 * (ended_at - first.run_started_at),
    )
