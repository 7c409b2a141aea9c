"""Which utterances of a block the device runs together: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecar.engine.batch_limits import BatchLimits


def alike(lengths: Sequence[int], limits: BatchLimits) -> Iterator[list[int]]:
    """The places of ``lengths``, in samples, batch by batch, the longest first.

    A batch costs longest x count, so each holds what is nearest in length, within ``limits``.
    """
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if batch and not _fits(lengths[batch[0]], lengths[place], len(batch), limits):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _fits(longest: int, length: int, n_held: int, limits: BatchLimits) -> bool:
    return (
        n_held < limits.max_items
        and length >= limits.min_likeness * longest
        and (n_held + 1) * limits.padded_samples(longest) <= limits.max_padded_samples
    )
