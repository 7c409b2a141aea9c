"""What the device runs next: pure."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

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
    live ones the oldest comes first; requests of long work take turns.
    """

    def __init__(self) -> None:
        self._live: dict[Item, None] = {}
        self._long: OrderedDict[Job, dict[Item, None]] = OrderedDict()
        self._turns = Turns()
        self._ran_live_at = -math.inf

    def __len__(self) -> int:
        return len(self._live) + sum(map(len, self._long.values()))

    def __iter__(self) -> Iterator[Item]:
        return itertools.chain(self._live, *self._long.values())

    def put(self, item: Item) -> None:
        """``item`` waits."""
        if item.job.is_live:
            self._live[item] = None
        else:
            self._long.setdefault(item.job, {})[item] = None

    def remove(self, item: Item) -> None:
        """``item`` waits no more."""
        if item.job.is_live:
            del self._live[item]
            return
        items = self._long[item.job]
        del items[item]
        if not items:
            del self._long[item.job]

    def next_batch(self, limits: BatchLimits, now: float) -> list[Item]:
        """The items to run together at ``now``, in seconds; they still wait. Empty: none does."""
        if not self._live and not self._long:
            return []
        if self._turns.is_live(has_live=bool(self._live), has_long=bool(self._long)):
            self._ran_live_at = now
            return choose(_oldest(self._live), self._live, limits)
        if now - self._ran_live_at < _RECENTLY_S:
            at_most = limits.max_padded_samples // _SHARE_BESIDE_LIVE
            limits = replace(limits, max_padded_samples=at_most)
        job = next(iter(self._long))
        self._long.move_to_end(job)
        return choose(_oldest(self._long[job]), itertools.chain(*self._long.values()), limits)


def _oldest(items: dict[Item, None]) -> Item:
    return min(items, key=lambda item: item.order)
