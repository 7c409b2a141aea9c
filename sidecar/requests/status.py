"""What state the child is in, and the reports about it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import psutil

from protocol.reports import (
    Activity,
    DeviceReport,
    Health,
    HealthError,
    Metrics,
    ModelReport,
    ProcessReport,
    State,
)
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.requests.meter import Meter
from sidecar.requests.scheduler import Scheduler


class Status:
    """The state, its reason, and the counts since the start.

    Its fields are set by the server; call the reports under the pipeline's lock.
    """

    def __init__(self, scheduler: Scheduler, meter: Meter, outcomes: Counter[str]) -> None:
        self._scheduler = scheduler
        self._meter = meter
        self._outcomes = outcomes
        self._process = psutil.Process()
        self._started_at = time.perf_counter()
        self.state: State = "loading"
        self.reason = "importing libraries"
        self.error: HealthError | None = None
        self.device: DeviceReport | None = None
        self.model: ModelReport | None = None
        self.peak_reserved_bytes: Callable[[], int | None] = lambda: None
        self.timings: dict[str, float] = {}

    def mark(self, name: str) -> None:
        """Note under ``name`` how many milliseconds after the start this is."""
        self.timings[name] = round(1000 * (time.perf_counter() - self._started_at), 1)

    def health(self) -> Health:
        """The report of the method and of the notification ``health``."""
        return Health(
            state=self.state,
            reason=self.reason,
            device=self.device,
            model=self.model,
            process=ProcessReport(
                rss_bytes=self._rss_bytes(),
                gpu_peak_reserved_bytes=self.peak_reserved_bytes(),
                uptime_s=time.perf_counter() - self._started_at,
            ),
            activity=Activity(
                queued=self._scheduler.n_queued,
                in_flight=self._scheduler.n_in_flight,
                device_busy_ms=1000 * self._meter.busy_s,
            ),
            timings=dict(self.timings),
            error=self.error,
        )

    def metrics(self) -> Metrics:
        """The report of the method ``metrics``."""
        now = time.perf_counter()
        meter = self._meter
        oldest_at = self._scheduler.oldest_queued()
        audio_s = meter.n_samples / SAMPLE_RATE_HZ
        return Metrics(
            uptime_s=now - self._started_at,
            outcomes=dict(self._outcomes),
            queued=self._scheduler.n_queued,
            in_flight=self._scheduler.n_in_flight,
            queued_bytes=self._scheduler.queued_bytes,
            oldest_queued_ms=0.0 if oldest_at is None else 1000 * (now - oldest_at),
            batches=meter.batch_sizes.total(),
            batch_sizes={str(size): n for size, n in sorted(meter.batch_sizes.items())},
            padding_share=meter.padding_share,
            embeddings=meter.n_embeddings,
            audio_s=audio_s,
            device_busy_ms=1000 * meter.busy_s,
            audio_s_per_device_s=audio_s / meter.busy_s if meter.busy_s else 0.0,
            decode_ms=meter.decode_ms,
            queue_ms=meter.queue_ms,
            compute_ms=meter.compute_ms,
            rss_bytes=self._rss_bytes(),
            gpu_peak_reserved_bytes=self.peak_reserved_bytes(),
        )

    def retry_after_ms(self) -> int:
        """How long what is in flight will take the device, as far as the past tells."""
        meter = self._meter
        mean_s = meter.busy_s / meter.n_embeddings if meter.n_embeddings else 0.1
        return max(50, min(10_000, round(1000 * mean_s * self._scheduler.n_in_flight)))

    def _rss_bytes(self) -> int:
        rss: int = self._process.memory_info().rss
        return rss
