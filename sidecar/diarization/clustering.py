"""Agglomerative clustering with average linkage, by cosine distance: pure.

Sokal, Michener: "A statistical method for evaluating systematic relationships", 1958 (UPGMA); the
distance of a merged cluster by Lance, Williams, 1967.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def average_linkage(
    units: FloatArray, max_distance: float, least: int = 1, most: int | None = None
) -> IntArray:
    """A cluster's number for each of ``units``, unit vectors of shape (n, dim); numbers from 0 on.

    The two clusters whose members have the least mean distance (1 - cosine) are merged, again and
    again, while it is below ``max_distance`` and more than ``least`` clusters are left, or while
    more than ``most`` are left. The memory goes with n^2, and so does the time, nearly.
    """
    n = len(units)
    labels = np.arange(n)
    distances = units @ units.T
    np.subtract(1, distances, out=distances)  # a second matrix of the kind would be memory
    if least <= 1 and distances.max() < max_distance:
        return np.zeros(n, np.int64)  # no mean is greater, so all would be merged
    np.fill_diagonal(distances, np.inf)
    sizes = np.ones(n, np.float32)
    # Of each cluster the nearest one, and how far that is.
    nearest = distances.argmin(axis=1)
    nearest_distances = distances[labels, nearest]
    for n_left in range(n, 1, -1):
        a = int(nearest_distances.argmin())
        b = int(nearest[a])
        too_many = most is not None and n_left > most
        if not too_many and (n_left <= least or distances[a, b] >= max_distance):
            break
        merged = (sizes[a] * distances[a] + sizes[b] * distances[b]) / (sizes[a] + sizes[b])
        merged[a] = np.inf  # a cluster's distance to itself; b's is inf already
        distances[a], distances[:, a] = merged, merged
        distances[b], distances[:, b] = np.inf, np.inf
        sizes[a] += sizes[b]
        labels[labels == b] = a
        # Nobody else comes nearer to another by this: the mean lies between the two.
        changed = np.flatnonzero((nearest == a) | (nearest == b))
        changed = np.union1d(changed, [a, b])
        nearest[changed] = distances[changed].argmin(axis=1)
        nearest_distances[changed] = distances[changed, nearest[changed]]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
