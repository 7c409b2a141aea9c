"""What a run on Ray has to do, and how it ends. Imports no Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.params import SpeechUse
from sidecar.config import Config


class RunEnded(Exception):
    """A run cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Work:
    """How each row is embedded.

    Attributes:
        config: the model and the device.
        speech: what of an utterance is embedded.
        fingerprint: the model's.
        n_threads: of each actor, which has as many cores.
        n_actors: how many there are; None: one for each GPU, or as many as the cores allow.
        n_rows: of a block; None: as many as suit the corpus.
    """

    config: Config
    speech: SpeechUse
    fingerprint: str
    n_threads: int = 1
    n_actors: int | None = None
    n_rows: int | None = None

    @property
    def is_on_gpu(self) -> bool:
        """Whether each actor has a GPU."""
        return self.config.device.startswith("cuda")

    @property
    def actor_config(self) -> Config:
        """What each actor loads its encoder with."""
        return replace(self.config, threads=self.n_threads)

    @property
    def n_gpus(self) -> int | None:
        """How many GPUs each actor has."""
        return 1 if self.is_on_gpu else None
