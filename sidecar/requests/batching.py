"""Which audios the device runs together: pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from sidecar.engine.batch_limits import BatchLimits
from sidecar.requests.jobs import Item


def choose(first: Item, ready: Iterable[Item], limits: BatchLimits) -> list[Item]:
    """``first``, with those of ``ready`` that join it, nearest in length first.

    Of equally long ones those of the same request come first, then the older ones.
    """
    if limits.max_items == 1:
        return [first]
    at_least = first.n_samples * limits.min_likeness
    at_most = first.n_samples / limits.min_likeness
    nearest = heapq.nsmallest(
        limits.max_items,
        (i for i in ready if at_least <= i.n_samples <= at_most and i is not first),
        key=lambda i: (abs(i.n_samples - first.n_samples), i.job is not first.job, i.order),
    )
    batch = [first]
    longest_in = first.n_samples
    for item in nearest[: limits.max_items - 1]:
        longest = max(longest_in, item.n_samples)
        if limits.padded_samples(longest) * (len(batch) + 1) <= limits.max_padded_samples:
            batch.append(item)
            longest_in = longest
    return batch
