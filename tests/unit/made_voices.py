"""Embeddings as people's voices are: around a direction of each, with a disturbance."""

import numpy as np

DIM = 192


def voices(n_people, n_each, *, likeness=0.75, seed=0):
    """Unit vectors, shape (n_people * n_each, DIM), whose cosines within a person are so high."""
    rng = np.random.default_rng(seed)
    people = unit(rng.normal(size=(n_people, DIM)))
    noise = unit(rng.normal(size=(n_people, n_each, DIM)))
    spread = np.sqrt(1 / likeness - 1)
    heard = unit(people[:, None] + spread * noise)
    return heard.reshape(-1, DIM).astype(np.float32)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
