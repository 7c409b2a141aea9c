"""A run on Ray Data: blocks of rows to actors, each with an encoder, and their tallies back.

Ray starts the actors, feeds them, and does again what a lost one had; here nothing is scheduled.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import ray
import ray.data
import ray.exceptions
from ray.data._internal.execution.execution_callback import ExecutionCallback

from sidecar.corpus.blocks import blocks_of
from sidecar.corpus.output import Output
from sidecar.corpus.rate import Tally
from sidecar.corpus.work import RunEnded, Work

# Lists and tallies are all that goes through Ray's memory; audio and embeddings never do.
_OBJECT_STORE_BYTES = 256 * 2**20
# What Ray plans ten times a second, and what it asks a hundred times a second, can wait as long as
# this: it takes the encoders' processors, and each of them has its next block already.
_PAUSE_S = 0.1
_PR_SET_TIMERSLACK = 29


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Ray, in processes of its own on this machine alone, or running at ``address``.

    Raises:
        ConnectionError: it cannot be joined.
        RunEnded: it fails, now or later.
    """
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    is_own = address is None
    _let_timers_wait(_PAUSE_S)
    try:
        with _silent_stderr():
            ray.init(
                address="local" if is_own else address,
                include_dashboard=False if is_own else None,
                object_store_memory=_OBJECT_STORE_BYTES if is_own else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=True,
            )
        _set_context(ray.data.DataContext.get_current())
        yield
    except ray.exceptions.RayError as error:
        raise RunEnded(str(error)) from error
    finally:
        ray.shutdown()
        _let_timers_wait(0)


def _let_timers_wait(most_s: float) -> None:
    """Wake this thread, and what it starts from now on, so much late where it waits for a time."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(round(most_s * 1e9)), 0, 0, 0)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Ray's C++ would say there how much it is to say; what goes wrong, it raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _set_context(context: ray.data.DataContext) -> None:
    context.enable_progress_bars = False
    # Each tally is told at once, rather than with others.
    context.target_max_block_size = 1
    # An hour-long recording is a block, and nothing comes of it for minutes.
    context.execution_no_progress_timeout_s = -1
    # It is divided ten times a second among the steps of a run, of which there is one.
    context.op_resource_reservation_enabled = False
    context.custom_execution_callback_classes = [_Pause]


class _Pause(ExecutionCallback):
    """Between two steps of Ray's plan."""

    def on_execution_step(self, executor: object) -> None:  # noqa: ARG002 - whose, does not matter
        time.sleep(_PAUSE_S)


def actors_for(work: Work) -> int:
    """How many actors the cluster has room for; 0: for none."""
    resources = ray.cluster_resources()
    room = int(resources.get("CPU", 0) // work.n_threads)
    if work.is_on_gpu:
        room = min(room, int(resources.get("GPU", 0)))
    return room


def embed(listed: pa.Table, work: Work, output: Output, n_actors: int) -> Iterator[Tally]:
    """Embed all of ``listed`` into ``output``.

    Gives two tallies of each block: an empty one when an encoder, which is loaded by then, begins
    with it, and its own when it is written.

    Raises:
        RunEnded: an actor cannot serve, or another run has taken ``output`` over.
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
