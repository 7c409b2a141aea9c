"""What the device runs next: pure."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from sidecar.diarization.streaming import StreamStep
from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.batching import choose
from sidecar.requests.jobs import Item, Job
from sidecar.requests.turns import Turns

# While live work comes, a call of long work is so many times as small as it might be: the next live
# request waits for it.
_SHARE_BESIDE_LIVE, _RECENTLY_S = 4, 1.0


class DeviceQueue:
    """The items that wait for the device.

    Live ones come before those of long work, which has one call in ``LONG_SHARE`` all the same. Of
    live ones the oldest comes first, and those of requests come before those of streams, which have
    every second call all the same: a stream's step brings many. Requests of long work take turns.
    """

    def __init__(self) -> None:
        self._live: dict[Item, None] = {}
        self._streams: dict[Item, None] = {}
        self._long: OrderedDict[Job, dict[Item, None]] = OrderedDict()
        self._turns = Turns()
        self._ran_live_at = -math.inf
        # Whether the last live call was a stream's.
        self._is_streams = True

    def __len__(self) -> int:
        return len(self._live) + len(self._streams) + sum(map(len, self._long.values()))

    def __iter__(self) -> Iterator[Item]:
        return itertools.chain(self._live, self._streams, *self._long.values())

    def put(self, item: Item) -> None:
        """``item`` waits."""
        if item.job.is_live:
            self._live_ones(item)[item] = None
        else:
            self._long.setdefault(item.job, {})[item] = None

    def remove(self, item: Item) -> None:
        """``item`` waits no more."""
        if item.job.is_live:
            del self._live_ones(item)[item]
            return
        items = self._long[item.job]
        del items[item]
        if not items:
            del self._long[item.job]

    def next_batch(self, limits: BatchLimits, now: float) -> list[Item]:
        """The items to run together at ``now``, in seconds; they still wait. Empty: none does."""
        has_live = bool(self._live or self._streams)
        if not has_live and not self._long:
            return []
        if self._turns.is_live(has_live=has_live, has_long=bool(self._long)):
            self._ran_live_at = now
            self._is_streams = bool(self._streams) and not (self._live and self._is_streams)
            first = _oldest(self._streams if self._is_streams else self._live)
            return choose(first, itertools.chain(self._live, self._streams), limits)
        if now - self._ran_live_at < _RECENTLY_S:
            at_most = limits.max_padded_samples // _SHARE_BESIDE_LIVE
            limits = replace(limits, max_padded_samples=at_most)
        job = next(iter(self._long))
        self._long.move_to_end(job)
        return choose(_oldest(self._long[job]), itertools.chain(*self._long.values()), limits)

    def _live_ones(self, item: Item) -> dict[Item, None]:
        return self._streams if isinstance(item.job.params, StreamStep) else self._live


def _oldest(items: dict[Item, None]) -> Item:
    return min(items, key=lambda item: item.order)
