"""Where files and data sets lie: on this machine, or wherever pyarrow or fsspec reads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import fsspec
import pyarrow as pa
from pyarrow import fs

from protocol.errors import BadAudio

# ``s3://``; a single letter is a drive of Windows.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# What the decoder takes by its path; a share (``\\server``) it does not, as hosts may not name one.
_SHARE = re.compile(r"[\\/]{2}")


def is_uri(path: str) -> bool:
    """Whether it names a store rather than a file of this machine."""
    return _URI.match(path) is not None


def locate(place: str) -> tuple[fs.FileSystem, str]:
    """The file system that ``place`` is on, and its path there, with slashes.

    Args:
        place: a path, or a URI as pyarrow (``s3://``, ``gs://``, ``hdfs://``) or else fsspec
            (``smb://``, ``sftp://``, ``memory://`` and more) has it.

    Raises:
        OSError, ValueError, ImportError: it is on none that can be read here.
    """
    if not is_uri(place):
        return fs.LocalFileSystem(), os.path.abspath(place).replace(os.sep, "/")  # noqa: PTH100
    try:
        system, path = fs.FileSystem.from_uri(place)
    except pa.ArrowInvalid:
        found, path = fsspec.core.url_to_fs(place)
        system = fs.PyFileSystem(fs.FSSpecHandler(found))
    return system, path


@contextlib.contextmanager
def on_this_machine(path: str) -> Iterator[str]:
    """The path of a local file that holds what ``path`` does.

    What is elsewhere is copied in pieces to a temporary file, which is gone in the end.

    Raises:
        BadAudio: it cannot be read there.
    """
    if not is_uri(path) and not _SHARE.match(path):
        yield os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps what ``..`` leads out of
        return
    with tempfile.TemporaryDirectory(prefix="speaker-sidecar-") as folder:
        copy = Path(folder) / f"audio{PurePosixPath(path).suffix}"
        try:
            _copy(path, copy)
        except (OSError, ValueError, ImportError) as error:
            is_missing = isinstance(error, FileNotFoundError)
            kind = "path_not_found" if is_missing else "path_unreadable"
            raise BadAudio(f"{path} cannot be read: {error}", kind=kind) from error
        yield str(copy)


def _copy(place: str, target: Path) -> None:
    system, path = locate(place)
    with system.open_input_stream(path, compression=None) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)
