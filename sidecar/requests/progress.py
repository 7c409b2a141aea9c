"""How far long work is, told now and then to a host that asks: pure."""

from __future__ import annotations

import math

from protocol.diarization import DiarizeParams
from protocol.params import EmbedBatchParams, EmbedSegmentsParams, EmbedWindowsParams
from protocol.reports import RequestProgress
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.requests.jobs import Job, Source, Stage

INTERVAL_S = 0.25


def progress_due(job: Job, now: float) -> RequestProgress | None:
    """What to tell of ``job`` at ``now``, in seconds; None: nothing yet, or not at all.

    ``job`` then counts as told.
    """
    if job.n_open == 0 or now - job.told_at < INTERVAL_S:
        return None
    progress = _progress(job)
    if progress is not None:
        job.told_at = now
    return progress


def _progress(job: Job) -> RequestProgress | None:
    params = job.params
    if isinstance(params, EmbedBatchParams) and params.progress:
        n_done = sum(
            source.stage is Stage.DONE and all(i.stage is Stage.DONE for i in source.items)
            for source in job.sources
        )
        return RequestProgress(job.id, n_done, job.n_audios, "audios")
    if isinstance(params, EmbedWindowsParams) and params.progress:
        return RequestProgress(job.id, job.n_done, job.sources[0].n_parts, "windows")
    if isinstance(params, EmbedSegmentsParams) and params.progress:
        return RequestProgress(job.id, job.n_done, len(params.segments), "segments")
    if isinstance(params, DiarizeParams) and params.progress:
        [source] = job.sources
        total = None if source.duration_s is None else math.ceil(source.duration_s)
        # Chunks overlap: the next one begins before the end of what is done.
        job.told_s = max(job.told_s, _done_s(source))
        return RequestProgress(job.id, job.told_s, total, "seconds")
    return None


def _done_s(source: Source) -> int:
    """The whole seconds of it that are worked through: heard, and all voices in them embedded."""
    n_samples = 0 if source.activity is None else source.activity.n_samples
    undone = (item.start_sample for item in source.items if item.stage is not Stage.DONE)
    return min(undone, default=n_samples) // SAMPLE_RATE_HZ
