"""Which audios the device runs together: pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection

from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Item


def choose(ready: Collection[Item], limits: BatchLimits) -> list[Item]:
    """The oldest of ``ready`` (not empty), with those that join it, nearest in length first.

    So whoever waits is the oldest at last, and nobody starves. Of two equally long ones the older
    never waits for the younger.
    """
    oldest = min(ready, key=lambda item: item.order)
    if limits.max_items == 1:
        return [oldest]
    at_least = oldest.n_samples * limits.min_likeness
    at_most = oldest.n_samples / limits.min_likeness
    nearest = heapq.nsmallest(
        limits.max_items,
        (item for item in ready if at_least <= item.n_samples <= at_most),
        key=lambda item: (abs(item.n_samples - oldest.n_samples), item.order),
    )
    batch = [oldest]
    longest_in = oldest.n_samples
    for item in nearest[1:]:
        longest = max(longest_in, item.n_samples)
        if limits.padded_samples(longest) * (len(batch) + 1) <= limits.max_padded_samples:
            batch.append(item)
            longest_in = longest
    return batch
