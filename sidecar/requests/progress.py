"""How far long work is, told now and then to a host that asks: pure."""

from __future__ import annotations

from protocol.params import EmbedBatchParams, EmbedSegmentsParams, EmbedWindowsParams
from protocol.reports import RequestProgress
from sidecar.requests.jobs import Job, Stage

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
    return None
