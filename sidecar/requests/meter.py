"""What the device has done since the start, and how long audios took lately."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection, Sequence

from protocol.errors import SidecarError
from protocol.reports import Percentiles
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Item

N_RECENT = 1024


class Meter:
    """Counts what the device does; times are seconds.

    Attributes:
        call_started_at: when the call that runs now was started; None: none runs.
        call_padded_s: how much audio that call computes, padding counted.
    """

    def __init__(self) -> None:
        self.call_started_at: float | None = None
        self.call_padded_s = 0.0
        self.busy_s = 0.0
        self.batch_sizes: Counter[int] = Counter()
        self.n_embeddings = 0
        self.n_samples = 0
        self.n_padded_samples = 0
        self._decode_s: deque[float] = deque(maxlen=N_RECENT)
        self._queue_s: deque[float] = deque(maxlen=N_RECENT)
        self._compute_s: deque[float] = deque(maxlen=N_RECENT)

    def call_starts(self, now: float, padded_s: float) -> None:
        """The device begins with a batch, or with a part of the one that did not fit."""
        self.call_started_at = now
        self.call_padded_s = padded_s

    def call_ends(self, now: float) -> None:
        """However it went."""
        if self.call_started_at is not None:
            self.busy_s += now - self.call_started_at
            self.call_started_at = None

    def slept(self, seconds: float) -> None:
        """So long the machine slept, and the call that runs now did nothing."""
        if self.call_started_at is not None:
            self.call_started_at += seconds

    def ran(self, batch: Collection[Item], limits: BatchLimits) -> None:
        """These items, whose times and outcomes are known, were one batch."""
        embedded = [item for item in batch if not isinstance(item.outcome, SidecarError)]
        if not embedded:
            return
        self.batch_sizes[len(batch)] += 1
        self.n_embeddings += len(embedded)
        self.n_samples += sum(item.n_samples for item in embedded)
        longest = max(item.n_samples for item in batch)
        self.n_padded_samples += limits.padded_samples(longest) * len(embedded)
        for item in embedded:
            self._decode_s.append(item.decode_s)
            self._queue_s.append(item.queue_s)
            self._compute_s.append(item.compute_s)

    @property
    def padding_share(self) -> float:
        """How much of what the device computed was padding, 0 to 1."""
        return 1 - self.n_samples / self.n_padded_samples if self.n_padded_samples else 0.0

    @property
    def decode_ms(self) -> Percentiles | None:
        """Of the last 1,024 audios that were embedded; None before the first."""
        return percentiles_ms(self._decode_s)

    @property
    def queue_ms(self) -> Percentiles | None:
        """See ``decode_ms``."""
        return percentiles_ms(self._queue_s)

    @property
    def compute_ms(self) -> Percentiles | None:
        """See ``decode_ms``."""
        return percentiles_ms(self._compute_s)


def percentiles_ms(seconds: Collection[float]) -> Percentiles | None:
    """Nearest-rank percentiles, in milliseconds; None of nothing."""
    if not seconds:
        return None
    ascending = sorted(seconds)
    return Percentiles(*(1000 * _nearest_rank(ascending, share) for share in (0.5, 0.95, 0.99)))


def _nearest_rank(ascending: Sequence[float], share: float) -> float:
    return ascending[math.ceil(share * len(ascending)) - 1]
