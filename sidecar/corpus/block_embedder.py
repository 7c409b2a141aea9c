"""What an actor of Ray does with a block: embed its rows, write what came of them, and tell."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from dataclasses import asdict

import pyarrow as pa

from protocol.errors import SidecarError
from protocol.params import SpeechUse
from sidecar.config import Config
from sidecar.corpus.embedder import Embedder
from sidecar.corpus.output import Output, Superseded, block_name
from sidecar.corpus.rate import Tally
from sidecar.corpus.tables import embedded_table, failed_table, listed_of
from sidecar.corpus.utterances import Embedded, Failed, Listed


class BlockEmbedder:
    """Holds one encoder; see ``Embedder``.

    It raises nothing that it foresees: of an error, Ray tells the command a page of its own lines.
    The tally of a block has it instead, if the encoder cannot serve, or not as the model
    ``fingerprint``.
    """

    def __init__(
        self,
        config: Config,
        speech: SpeechUse,
        n_decoders: int,
        fingerprint: str,
        output: Output,
    ) -> None:
        self._output = output
        self._fault = ""
        try:
            self._embedder = Embedder(config, speech, n_decoders)
        except SidecarError as error:
            self._fault = str(error)
            return
        if self._embedder.fingerprint != fingerprint:
            self._fault = (
                f"{config.model} is {self._embedder.fingerprint} on {platform.node()}, and "
                f"{fingerprint} here: install the same release of speaker-sidecar on all machines"
            )

    def __call__(self, block: pa.Table) -> Iterator[pa.Table]:
        """The tallies of ``block``, a table of ``LISTED``: at once an empty one, and then its own.

        There are always two: of a block that is done again, Ray leaves out as many as it has had.
        """
        tally = Tally(fault=self._fault)
        yield _told(tally)
        if not self._fault:
            try:
                tally = self._do(block)
            except (Superseded, SidecarError) as error:
                tally = Tally(fault=str(error))
        yield _told(tally)

    def _do(self, block: pa.Table) -> Tally:
        began_at = time.perf_counter()
        embedder, rows = self._embedder, listed_of(block)
        name = block_name(block.column("id"), embedder.fingerprint)
        fatal, note = self._output.begin(name)
        alive = [row for row in rows if row.id not in fatal]
        outcomes = list(embedder.embed(alive, None if note is None else lambda row: note(row.id)))
        embedded = [outcome for outcome in outcomes if isinstance(outcome, Embedded)]
        failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        failed += _fatal(row for row in rows if row.id in fatal)
        made_by = embedder.model, embedder.fingerprint
        self._output.commit(
            name,
            embedded_table(embedded, embedder.dim, *made_by),
            failed_table(failed, *made_by),
        )
        return Tally(
            rows=len(rows),
            failures=len(failed),
            audio_s=sum(row.duration_s for row in embedded),
            busy_s=time.perf_counter() - began_at,
        )


def _told(tally: Tally) -> pa.Table:
    return pa.Table.from_pylist([asdict(tally)])


def _fatal(rows: Iterator[Listed]) -> Iterator[Failed]:
    for row in rows:
        told = "the process that had it ended, and the next one, too"
        yield Failed(row, "process_died", f"{row.path}: {told}")
