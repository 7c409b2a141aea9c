"""The data set that a run writes: Parquet files that are there whole or not at all, none twice.

``embeddings/`` and ``failures/`` hold a file for each block that has any of them. It is written
below ``_writing``, and then moved; its name follows from the ids of the block, so that who does a
block again replaces it. ``_run.json`` names the run that may write: a new run puts itself there
first, clears what was under way, and only then looks what is done. An older one that is still
alive, or a worker of it, finds what it has written gone or another's name there, and stops.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, fs, parquet

from protocol.params import SpeechUse
from sidecar.corpus.storage import locate

EMBEDDINGS, FAILURES = "embeddings", "failures"
_WRITING, _UNDER_WAY, _RUN = "_writing", "_under_way", "_run.json"


class Superseded(Exception):
    """Another run writes there now."""


class OtherSpeech(Exception):
    """What is there was embedded with another ``speech``."""


@dataclass(frozen=True, slots=True)
class Output:
    """A run's data set at ``place``, a folder or a URI.

    ``run`` is the run's own name. An ``Output`` can be sent to other processes.
    """

    place: str
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def take_over(self, speech: SpeechUse, *, with_failures: bool) -> None:
        """Be the one run that writes there.

        Args:
            speech: what of an utterance is embedded.
            with_failures: what has failed before is forgotten, and so is missing.

        Raises:
            OtherSpeech: its embeddings would not be like those that are there.
            OSError, ValueError, ImportError: it cannot be written.
        """
        system, top = self._located()
        for name in (EMBEDDINGS, FAILURES):
            system.create_dir(f"{top}/{name}", recursive=True)
        before = _read_json(system, f"{top}/{_RUN}")
        if before is not None and before["speech"] != speech:
            raise OtherSpeech(
                f"{self.place} was embedded with --speech {before['speech']}: say the same, or "
                "name another --out"
            )
        _write(system, f"{top}/{_RUN}", json.dumps({"run": self.run, "speech": speech}).encode())
        emptied = [_WRITING, _UNDER_WAY, *([FAILURES] if with_failures else [])]
        for name in emptied:
            system.create_dir(f"{top}/{name}", recursive=True)
            system.delete_dir_contents(f"{top}/{name}")

    def done(self, fingerprint: str) -> pa.Array:
        """The ids, as listed, of all that was embedded or failed with that model."""
        system, top = self._located()
        found = [
            dataset.dataset(f"{top}/{name}", filesystem=system, format="parquet")
            .to_table(
                columns={"id": pc.field(column)}, filter=pc.field("fingerprint") == fingerprint
            )
            .column("id")
            for name, column in ((EMBEDDINGS, "listed_id"), (FAILURES, "id"))
            if _has_files(system, f"{top}/{name}")
        ]
        chunks = [chunk for column in found for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.string()).unique()

    def commit(self, block: str, embedded: pa.Table, failed: pa.Table) -> None:
        """Write what has come of a block, see ``block_name``.

        Raises:
            Superseded: another run writes there now.
        """
        system, top = self._located()
        for name, table in ((EMBEDDINGS, embedded), (FAILURES, failed)):
            target = f"{top}/{name}/{block}.parquet"
            if table.num_rows:
                self._write_whole(system, top, target, table)
            elif system.get_file_info(target).type is fs.FileType.File:
                system.delete_file(target)  # by who did the block before, and was lost
        with contextlib.suppress(OSError):
            system.delete_file(f"{top}/{_UNDER_WAY}/{block}.json")

    def _write_whole(self, system: fs.FileSystem, top: str, target: str, table: pa.Table) -> None:
        draft = f"{top}/{_WRITING}/{uuid.uuid4().hex}.parquet"
        try:
            parquet.write_table(table, draft, filesystem=system, compression="zstd")
            now = _read_json(system, f"{top}/{_RUN}") or {}
            if now.get("run") != self.run:
                raise Superseded(f"another run writes to {self.place} now")
            system.move(draft, target)
        except FileNotFoundError as error:
            raise Superseded(f"another run writes to {self.place} now: {error}") from error

    def begin(self, block: str) -> tuple[frozenset[str], Callable[[str], None] | None]:
        """Note that a block is under way: which of its ids to leave out, and what to call.

        A block that was begun before has ended a process. Then the second is to be called with each
        id before it is touched; the third time, the one that was touched last is left out.
        """
        system, top = self._located()
        path = f"{top}/{_UNDER_WAY}/{block}.json"
        before = _read_json(system, path)
        if before is None:
            _write(system, path, json.dumps({"at": None, "fatal": []}).encode())
            return frozenset(), None
        fatal: list[str] = before["fatal"]
        if before["at"] is not None:
            fatal = [*fatal, before["at"]]

        def note(at: str) -> None:
            _write(system, path, json.dumps({"at": at, "fatal": fatal}).encode())

        _write(system, path, json.dumps({"at": None, "fatal": fatal}).encode())
        return frozenset(fatal), note

    def _located(self) -> tuple[fs.FileSystem, str]:
        system, top = locate(self.place)
        return system, top.rstrip("/")


def block_name(ids: pa.ChunkedArray, fingerprint: str) -> str:
    """It follows from the ids of a block, and from the model."""
    text = "\n".join([fingerprint, *ids.to_pylist()])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _has_files(system: fs.FileSystem, folder: str) -> bool:
    chosen = fs.FileSelector(folder, allow_not_found=True)
    return any(info.extension == "parquet" for info in system.get_file_info(chosen))


def _read_json(system: fs.FileSystem, path: str) -> dict[str, Any] | None:
    try:
        with system.open_input_stream(path) as stream:
            found: dict[str, Any] = json.loads(stream.read())
            return found
    except FileNotFoundError:
        return None


def _write(system: fs.FileSystem, path: str, content: bytes) -> None:
    draft = f"{path}.{uuid.uuid4().hex}"
    with system.open_output_stream(draft) as stream:
        stream.write(content)
    system.move(draft, path)
