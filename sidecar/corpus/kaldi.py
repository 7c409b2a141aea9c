"""Kaldi's data folders: ``wav.scp``, and beside it ``segments`` and ``utt2spk``, if they are there.

Source of the formats: kaldi-asr.org, "Data preparation".
"""

from __future__ import annotations

import os

import pyarrow as pa
from pyarrow import fs

from sidecar.corpus.storage import is_uri
from sidecar.corpus.tables import LISTED


def read_folder(system: fs.FileSystem, folder: str) -> pa.Table:
    """What the folder lists, a table of ``LISTED``.

    Raises:
        ValueError: a line is malformed, or names a command; or a recording that is not there.
        OSError: it cannot be read.
    """
    recordings = {key: _path(key, rest) for key, rest in _lines(system, f"{folder}/wav.scp")}
    speakers = dict(_lines(system, f"{folder}/utt2spk", may_miss=True))
    segments: list[tuple[str, str, float | None, float | None]] = [
        (key, *_segment(key, rest))
        for key, rest in _lines(system, f"{folder}/segments", may_miss=True)
    ]
    if not segments:
        segments = [(key, key, None, None) for key in recordings]
    unknown = next((found for _, found, _, _ in segments if found not in recordings), None)
    if unknown is not None:
        raise ValueError(f"segments names the recording {unknown}, which wav.scp does not have")
    rows = [
        (key, recordings[recording], start_s, end_s, speakers.get(key))
        for key, recording, start_s, end_s in segments
    ]
    columns = zip(*rows, strict=True) if rows else [[]] * len(LISTED)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, LISTED, strict=True)], LISTED)


def _lines(system: fs.FileSystem, path: str, *, may_miss: bool = False) -> list[tuple[str, str]]:
    """The first word of each line, and the rest of it."""
    if may_miss and system.get_file_info(path).type is fs.FileType.NotFound:
        return []
    with system.open_input_stream(path) as stream:
        text = stream.read().decode("utf-8-sig")
    lines = []
    for line in text.splitlines():
        words = line.split(maxsplit=1)
        if not words:
            continue
        if len(words) == 1:
            raise ValueError(f"{path} has a line of one word: {line!r:.70}")
        lines.append((words[0], words[1].strip()))
    return lines


def _path(recording: str, extended: str) -> str:
    if extended.endswith("|"):
        raise ValueError(
            f"wav.scp makes {recording} by a command, and none is run: write its output to a file"
        )
    # As for Kaldi itself, a relative path begins where the program was started.
    return extended if is_uri(extended) else os.path.abspath(extended)  # noqa: PTH100


def _segment(utterance: str, rest: str) -> tuple[str, float, float | None]:
    words = rest.split()
    try:
        recording, start_s, end_s = words[0], float(words[1]), float(words[2])
    except (IndexError, ValueError) as error:
        raise ValueError(f"segments has no times for {utterance}: {rest!r:.70}") from error
    # Kaldi has -1 for the end of the recording.
    return recording, start_s, None if end_s < 0 else end_s
