"""Compares what the sidecar makes of audio files with what FFmpeg makes of them.

    python tests/model/compare_with_ffmpeg.py FOLDER [--model campplus-zh-en]

For each file: its duration by FFmpeg and by the sidecar, and the cosine of two embeddings, one of
the file and one of the samples that FFmpeg decodes, which the sidecar resamples and mixes likewise.
A file passes if the cosine is at least 0.999, or if it is refused; the refusals are to be read. It
fails, too, if its bytes and its path are answered differently.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.params import FileAudio, PathAudio, PcmAudio
from protocol.python import RemoteError, SpeakerSidecar

SAME = 0.999
DIFFER = "bytes and path are answered differently"


@dataclass
class Row:
    name: str
    ffmpeg_s: float | None
    ours_s: float | None
    cosine: float | None
    said: str

    @property
    def passes(self):
        if self.ours_s is None or self.ffmpeg_s is None:
            return self.said != DIFFER
        return self.cosine is not None and self.cosine >= SAME

    def __str__(self):
        numbers = [
            "-" if value is None else f"{value:.{n}f}"
            for value, n in ((self.ffmpeg_s, 3), (self.ours_s, 3), (self.cosine, 4))
        ]
        mark = " " if self.passes else "!"
        return f"{mark} {self.name:36} {numbers[0]:>8} {numbers[1]:>8} {numbers[2]:>7}  {self.said}"


def decoded_by_ffmpeg(path):
    """The samples of a file by FFmpeg, at its own rate and with its channels; None: it cannot."""
    asked = subprocess.run(
        [
            *("ffprobe", "-v", "error", "-select_streams", "a:0"),
            *("-show_entries", "stream=sample_rate,channels", "-of", "json", str(path)),
        ],
        capture_output=True,
        check=False,
    )
    streams = json.loads(asked.stdout or b"{}").get("streams")
    if not streams or int(streams[0].get("sample_rate", 0)) == 0:
        return None
    rate_hz, channels = int(streams[0]["sample_rate"]), streams[0]["channels"]
    done = subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-map", "0:a:0"),
            *("-c:a", "pcm_f32le", "-ar", str(rate_hz), "-ac", str(channels), "-f", "f32le", "-"),
        ],
        capture_output=True,
        check=False,
    )
    if not done.stdout:
        return None
    return PcmAudio(done.stdout, "f32le", rate_hz, channels)


def compare(sidecar, path):
    pcm = decoded_by_ffmpeg(path)
    ffmpeg_s = None if pcm is None else len(pcm.pcm) / 4 / pcm.channels / pcm.sample_rate_hz
    by_path, by_bytes = sidecar.embed_batch([PathAudio(str(path)), FileAudio(path.read_bytes())])
    if isinstance(by_path, RemoteError) != isinstance(by_bytes, RemoteError):
        return Row(path.name, ffmpeg_s, 0.0, None, DIFFER)
    if isinstance(by_path, RemoteError):
        return Row(path.name, ffmpeg_s, None, None, f"{by_path.kind}: {by_path.message}")
    said = ", ".join(warning.kind for warning in by_path.warnings)
    if by_path.embedding != by_bytes.embedding:
        return Row(path.name, ffmpeg_s, by_path.duration_s, None, DIFFER)
    if pcm is None:
        # Nothing to compare with; more than FFmpeg can is no fault.
        return Row(path.name, None, by_path.duration_s, None, f"FFmpeg cannot; {said}")
    [theirs] = sidecar.embed_batch([pcm])
    cosine = None
    if not isinstance(theirs, RemoteError):
        cosine = float(np.dot(theirs.embedding, by_path.embedding))
    return Row(path.name, ffmpeg_s, by_path.duration_s, cosine, said)


def compare_all(paths, model, **popen):
    with SpeakerSidecar.start(model=model, **popen) as sidecar:
        sidecar.wait_until_ready(300)
        for path in paths:
            yield compare(sidecar, path)


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="campplus-zh-en")
    options = parser.parse_args(argv)
    paths = sorted(path for path in options.folder.rglob("*") if path.is_file())
    print(f"  {'file':36} {'ffmpeg':>8} {'ours':>8} {'cosine':>7}  warnings, or the refusal")
    failed = 0
    for row in compare_all(paths, options.model):
        print(row, flush=True)
        failed += not row.passes
    print(f"{len(paths) - failed} of {len(paths)} pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
