"""``speaker-sidecar corpus embed``: a source into a data set, by as many encoders as there are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pyarrow as pa

from sidecar.config import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    Config,
)
from sidecar.corpus.blocks import missing
from sidecar.corpus.joining import set_environment
from sidecar.corpus.model import installed_fingerprint
from sidecar.corpus.output import OtherSpeech, Output
from sidecar.corpus.rate import Rate
from sidecar.corpus.sources import BadSource, read_source
from sidecar.corpus.storage import is_uri
from sidecar.corpus.work import RunEnded, Work
from sidecar.tools.console import ProgressLine, Refusal, complain, open_console


def run(options: argparse.Namespace, progress: ProgressLine) -> int:
    """Embed what is missing.

    Returns:
        0, also where some rows have failed; 130 after Ctrl-C.

    Raises:
        Refusal: the source, the output, the model or Ray cannot be used.
    """
    # Actors have a working folder of their own.
    folder = Path(options.model)
    models_dir = options.models_dir
    config = Config(
        model=str(folder.absolute()) if folder.is_dir() else options.model,
        models_dir=None if models_dir is None else models_dir.expanduser().absolute(),
        offline=options.offline,
        device=options.device,
    )
    fingerprint = installed_fingerprint(config, progress.show_fetch)
    progress.show("reading", options.source)
    output = Output(options.out if is_uri(options.out) else str(Path(options.out).absolute()))
    try:
        listed = read_source(options.source)
        output.take_over(options.speech, with_failures=options.retry)
        left = missing(listed, output.done(fingerprint))
    except (BadSource, OtherSpeech) as error:
        raise Refusal(str(error), EXIT_USAGE) from error
    except (OSError, ValueError, ImportError) as error:
        raise Refusal(f"--out {options.out} cannot be used: {error}", EXIT_USAGE) from error
    progress.clear()
    rate = Rate(listed.num_rows, listed.num_rows - left.num_rows)
    console = open_console()
    console.out(f"{rate.n_all:,} in {options.source}, of which {left.num_rows:,} are to be done")
    if not left.num_rows:
        return EXIT_OK
    work = Work(
        config,
        options.speech,
        fingerprint,
        n_threads=options.threads,
        n_actors=options.actors,
        n_rows=options.block,
    )
    try:
        _embed(left, work, output, rate, options.ray, progress)
    except KeyboardInterrupt:
        progress.clear()
        complain(
            f"Stopped: {rate.n_done:,} of {rate.n_all:,} are done. Give the same command "
            "again, and it goes on from there."
        )
        return EXIT_INTERRUPTED
    progress.clear()
    console.out(rate.summary())
    if rate.n_failed:
        console.out(f"Why is in {options.out}/failures; --retry tries them again.")
    return EXIT_OK


def _embed(  # noqa: PLR0913, PLR0917 - it is where they meet
    left: pa.Table,
    work: Work,
    output: Output,
    rate: Rate,
    address: str | None,
    progress: ProgressLine,
) -> None:
    progress.show("starting Ray" if address is None else f"joining Ray at {address}")
    try:
        set_environment(address)
        # It imports Ray.
        from sidecar.corpus import run as ray_run  # noqa: PLC0415

        with ray_run.cluster(address):
            n_actors = _n_actors(work, ray_run.actors_for(work))
            progress.show("loading the model", f"in {n_actors} processes")
            for tally in ray_run.embed(left, work, output, n_actors):
                rate.add(tally, time.perf_counter())
                progress.show("embedding", str(rate))
    except ConnectionError as error:
        raise Refusal(f"--ray {address}: {error}", EXIT_UNAVAILABLE) from error
    except RunEnded as error:
        raise Refusal(str(error), EXIT_SOFTWARE) from error


def _n_actors(work: Work, room: int) -> int:
    n_actors = work.n_actors or room
    if not 0 < n_actors <= room:
        cores = "one core" if work.n_threads == 1 else f"{work.n_threads} cores"
        gpu = " and one GPU" if work.is_on_gpu else ""
        raise Refusal(f"Ray has room for {room} encoders with {cores}{gpu} each", EXIT_UNAVAILABLE)
    return n_actors
