"""A run on Ray Data: blocks of rows to actors, each with an encoder, and their tallies back.

Ray starts the actors, feeds them, and does again what a lost one had; here nothing is scheduled.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from protocol.params import SpeechUse
from sidecar.config import Config
from sidecar.corpus.blocks import blocks_of
from sidecar.corpus.output import Output
from sidecar.corpus.rate import Tally

# Before Ray is imported. Nothing leaves the machine unasked; an actor sees GPUs only by asking.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Else it warns in every run of what holds only where this process, which has it, is gone.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
os.environ.update(_ENVIRONMENT)

import ray  # noqa: E402 - see above
import ray.data  # noqa: E402

# Lists and tallies are all that goes through Ray's memory; audio and embeddings never do.
_OBJECT_STORE_BYTES = 256 * 2**20
_ANSWERS_WITHIN_S = 10.0


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


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Ray, in processes of its own on this machine alone, or running at ``address``.

    Raises:
        ConnectionError: nothing answers there.
    """
    if address is not None:
        _require_answer(address)
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    is_own = address is None
    ray.init(
        address="local" if is_own else address,
        include_dashboard=False if is_own else None,
        object_store_memory=_OBJECT_STORE_BYTES if is_own else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=True,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise ConnectionError where nobody listens; Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return  # such as ``auto``: Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN_S).close()
    except OSError as error:
        raise ConnectionError(f"nothing answers there: {error}") from error


def actors_for(work: Work) -> int:
    """How many actors the cluster has room for; 0: for none."""
    resources = ray.cluster_resources()
    room = int(resources.get("CPU", 0) // work.n_threads)
    if work.is_on_gpu:
        room = min(room, int(resources.get("GPU", 0)))
    return room


def embed(listed: pa.Table, work: Work, output: Output, n_actors: int) -> Iterator[Tally]:
    """Embed all of ``listed`` into ``output``; gives a tally whenever a block is written.

    Raises:
        RunEnded: an actor cannot serve, or another run has taken ``output`` over.
        ray.exceptions.RayError: anything else.
    """
    from sidecar.corpus.block_embedder import BlockEmbedder  # noqa: PLC0415 - it takes a second

    blocks: Sequence[pa.Table] = list(blocks_of(listed, n_actors, work.n_rows))
    n_decoders = work.n_threads if work.is_on_gpu else 0
    tallies = ray.data.from_arrow(blocks).map_batches(
        BlockEmbedder,
        fn_constructor_args=(work.actor_config, work.speech, n_decoders, work.fingerprint, output),
        batch_size=None,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(
            size=min(n_actors, len(blocks)), max_tasks_in_flight_per_actor=2
        ),
        num_cpus=work.n_threads,
        num_gpus=work.n_gpus,
    )
    for batch in tallies.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        assert isinstance(batch, pa.Table)
        for row in batch.to_pylist():
            tally = Tally(**row)
            if tally.fault:
                raise RunEnded(tally.fault)
            yield tally
