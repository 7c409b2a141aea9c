"""What SOURCE names: a folder, a glob, a manifest, or a folder as Kaldi has it; as one table."""

from __future__ import annotations

import fnmatch
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, fs, json, parquet

from sidecar.corpus import kaldi
from sidecar.corpus.storage import is_uri, locate
from sidecar.corpus.tables import SOURCE

# What is taken for a recording in a folder.
# fmt: off
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".sph",
    ".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma", ".amr",
)
# fmt: on
_GLOB = re.compile(r"[*?\[]")
# On a share, a look at a file takes long, but many at once do not take longer.
_N_LOOKING = 16


class BadSource(Exception):
    """A source cannot be used; the text says why."""


def read_source(source: str) -> pa.Table:
    """What ``source`` lists, a table of ``SOURCE``, whose ids are different and paths absolute.

    Raises:
        BadSource: it cannot be read, lists nothing, or has an id twice.
    """
    try:
        table = _read(source)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadSource(f"{source} cannot be used: {error}") from error
    if table.num_rows == 0:
        raise BadSource(f"{source}: there is no recording in it")
    _check_ids(table, source)
    return table


def _read(source: str) -> pa.Table:
    if not is_uri(source):
        source = source.replace(os.sep, "/")
    if _GLOB.search(source) and not os.path.exists(source):  # noqa: PTH110 - it may be a URI
        folder, slash, _ = _GLOB.split(source)[0].rpartition("/")
        pattern = source[len(folder) + len(slash) :]
        return _of_folder(folder or slash or ".", pattern)
    system, path = locate(source)
    if system.get_file_info(path).type is fs.FileType.Directory:
        if system.get_file_info(f"{path}/wav.scp").type is fs.FileType.File:
            return _measured(kaldi.read_folder(system, path))
        return _of_folder(source, None)
    if path.endswith("/wav.scp"):
        return _measured(kaldi.read_folder(system, path.removesuffix("/wav.scp")))
    return _measured(_of_manifest(system, path, source))


def _of_folder(folder: str, pattern: str | None) -> pa.Table:
    """The recordings in a folder and below it; those that match ``pattern``, if there is one."""
    system, top = locate(folder)
    infos = system.get_file_info(fs.FileSelector(top, recursive=True))
    sizes = {
        info.path.removeprefix(top.rstrip("/")).lstrip("/"): info.size
        for info in infos
        if info.type is fs.FileType.File
    }
    if pattern is None:
        ids = sorted(one for one in sizes if one.lower().endswith(SUFFIXES))
    else:
        ids = sorted(one for one in sizes if fnmatch.fnmatch(one, pattern))
    # Of a URI, what the store calls its files may lack the host.
    start = (folder if is_uri(folder) else top).rstrip("/")
    columns = {
        "id": pa.array(ids, pa.string()),
        "path": pa.array([f"{start}/{one}" for one in ids], pa.string()),
        "n_bytes": pa.array([sizes[one] for one in ids], pa.int64()),
    }
    return _completed(pa.table(columns))


def _of_manifest(system: fs.FileSystem, path: str, source: str) -> pa.Table:
    """A manifest with ``path`` and, if it likes, ``id``, ``start_s``, ``end_s``, ``speaker``."""
    suffix = path.rpartition(".")[2].lower()
    if suffix == "parquet":
        table = parquet.read_table(path, filesystem=system)
    elif suffix in {"csv", "tsv", "jsonl", "ndjson"}:
        with system.open_input_stream(path) as stream:
            table = _read_lines(stream, suffix)
    else:
        raise ValueError(
            "it is neither a folder nor a pattern, nor a manifest (.csv, .tsv, .jsonl, .parquet), "
            "nor a wav.scp"
        )
    if "path" not in table.column_names:
        raise ValueError(f"it has no column path, but {', '.join(table.column_names)}")
    start = source.rpartition("/")[0] if is_uri(source) else os.path.dirname(path)  # noqa: PTH120
    return _below(table, start)


def _measured(table: pa.Table) -> pa.Table:
    """With the size of each file of this machine of which no end is stated; complete."""
    paths = table.column("path").to_pylist()
    ends = (
        table.column("end_s").to_pylist() if "end_s" in table.column_names else [None] * len(paths)
    )
    with ThreadPoolExecutor(_N_LOOKING) as looking:
        sizes = list(looking.map(_size, paths, ends, chunksize=100))
    table = table.select([name for name in table.column_names if name != "n_bytes"])
    return _completed(table.append_column("n_bytes", pa.array(sizes, pa.int64())))


def _size(path: str, end_s: float | None) -> int | None:
    if end_s is not None or is_uri(path):
        return None
    try:
        return os.stat(path).st_size  # noqa: PTH116 - millions of them
    except (OSError, ValueError):
        return None  # it will be told where it is decoded


def _read_lines(stream: pa.NativeFile, suffix: str) -> pa.Table:
    if suffix in {"jsonl", "ndjson"}:
        return json.read_json(stream)
    texts = {name: pa.string() for name in ("id", "path", "speaker")}
    times = {name: pa.float64() for name in ("start_s", "end_s")}
    return csv.read_csv(
        stream,
        parse_options=csv.ParseOptions(delimiter="\t" if suffix == "tsv" else ","),
        convert_options=csv.ConvertOptions(column_types=texts | times, strings_can_be_null=True),
    )


def _below(table: pa.Table, start: str) -> pa.Table:
    """With relative paths taken from ``start``, where the manifest lies."""

    def absolute(path: str) -> str:
        if is_uri(path) or os.path.isabs(path):  # noqa: PTH117 - millions of them
            return path
        return f"{start}/{path}" if is_uri(start) else os.path.normpath(os.path.join(start, path))  # noqa: PTH118

    names = table.column("path").to_pylist()
    if None in names:
        raise ValueError(f"line {names.index(None) + 1} has no path")
    paths = pa.array([absolute(name) for name in names], pa.string())
    table = table.set_column(table.column_names.index("path"), "path", paths)
    if "id" in table.column_names:
        return table
    return table.append_column("id", pa.array(_ids(table, names), pa.string()))


def _ids(table: pa.Table, names: list[str]) -> list[str]:
    """The path as it is written, with the times where there are any."""
    if not {"start_s", "end_s"} & set(table.column_names):
        return names
    columns = [
        table.column(name).to_pylist() if name in table.column_names else [None] * len(names)
        for name in ("start_s", "end_s")
    ]
    return [
        name if start is None and end is None else f"{name}@{_time(start)}-{_time(end)}"
        for name, start, end in zip(names, *columns, strict=True)
    ]


def _time(time_s: float | None) -> str:
    return "" if time_s is None else f"{time_s:g}" if time_s < 1000 else f"{time_s:.3f}"


def _completed(table: pa.Table) -> pa.Table:
    """With all columns of ``SOURCE`` and no other, each of its type."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in SOURCE
    ]
    for field, column in zip(SOURCE, columns, strict=True):
        if not field.nullable and column.null_count:
            raise ValueError(f"a line has no {field.name}")
    return pa.table(columns, schema=SOURCE)


def _check_ids(table: pa.Table, source: str) -> None:
    counts = pc.value_counts(table.column("id"))
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise BadSource(
            f"{source} has the id {twice[0]['values'].as_py()!r} more than once: what was done "
            "could not be told from what is missing"
        )
