"""What "the same" means where a batch is compared with its utterances alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.nn.utils.rnn import pad_sequence

MIN_COSINE = 0.999999
MAX_DIFFERENCE = 1e-5
# Measured in 250 batches: 5e-6, but 2e-5 for the shortest utterances, of whose three frames two are
# left where the standard deviation is taken. From so many samples on, there are four frames.
_THREE_FRAMES = 880
_OF_THREE_FRAMES = 3.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """The worst of a batch's embeddings against those of its utterances alone.

    ``max_difference`` is that of one component, in units of the embedding's norm; utterances of
    three frames count for a third of theirs. The centred
    cosine is taken without each set's mean: what all embeddings share would hide that they differ.
    """

    min_cosine: float
    min_centred_cosine: float
    max_difference: float

    @property
    def holds(self) -> bool:
        return (
            self.min_cosine >= MIN_COSINE
            and self.min_centred_cosine >= MIN_COSINE
            and self.max_difference <= MAX_DIFFERENCE
        )


def agreement(batched: Tensor, alone: Tensor, utterances: Sequence[Tensor] = ()) -> Agreement:
    """``utterances``: those of three frames among them have their own bound; none: all have one."""
    batched, alone = batched.double(), alone.double()
    centred = cosine_similarity(batched - batched.mean(dim=0), alone - alone.mean(dim=0))
    difference = (batched - alone).abs().amax(dim=1) / alone.norm(dim=1)
    for place, utterance in enumerate(utterances):
        if len(utterance) < _THREE_FRAMES:
            difference[place] /= _OF_THREE_FRAMES
    return Agreement(
        min_cosine=cosine_similarity(batched, alone).min().item(),
        min_centred_cosine=centred.min().item(),
        max_difference=difference.max().item(),
    )


@torch.inference_mode()
def embed_batch(model: nn.Module, utterances: Sequence[Tensor]) -> Tensor:
    n_samples = torch.tensor([len(utterance) for utterance in utterances])
    embeddings: Tensor = model(pad_sequence(list(utterances), batch_first=True), n_samples)
    return embeddings


@torch.inference_mode()
def embed_alone(model: nn.Module, utterances: Sequence[Tensor]) -> Tensor:
    return torch.cat([model(utterance.unsqueeze(0)) for utterance in utterances])


@lru_cache
def noise(n_samples: int, seed: int) -> Tensor:
    """A quarter of silence, then faint noise, and at the very end a click, louder than all else.

    So a frame that reaches over the end is the loudest, which lifts the floor under the silence.
    """
    random = np.random.default_rng((seed, n_samples))
    colour = random.normal(size=32) * np.exp(-np.arange(32) / random.uniform(2, 16))
    samples = np.convolve(random.normal(size=n_samples), colour, mode="same")
    samples *= 0.01 / samples.std()
    samples[: n_samples // 4] = 0
    samples[-1] = 1
    return torch.from_numpy(samples).float()


def noises(lengths: Sequence[int]) -> list[Tensor]:
    return [noise(n_samples, seed) for seed, n_samples in enumerate(lengths)]
