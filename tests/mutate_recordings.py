"""Sends mutated recordings of every format to a sidecar, and watches it.

    python tests/mutate_recordings.py --n 10000 [--seed 1] [--files FOLDER] [--keep FOLDER]

Every request must be answered within 30 s, and none by an internal error; the child must live on,
and never take more than 1 GB. Its decoders are the real ones; its network is the light one of the
tests. A file that breaks a rule is kept. FFmpeg makes the recordings, unless there are ``--files``.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recordings import make_recordings

from protocol.params import (
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    FileAudio,
    ProbeParams,
)
from protocol.python import ChildGone, RemoteError, SpeakerSidecar

LIGHT = [sys.executable, str(Path(__file__).with_name("light_sidecar.py"))]
ANSWERED_WITHIN_S = 30.0
MAX_RSS_BYTES = 1 << 30
EXTREMES = [bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x80"]


def mutated(rng, files):
    """A mutated recording, and what was done to it."""
    name, data = rng.choice(files)
    done = [name]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        kind = rng.choice(["flip", "flip", "head", "cut", "drop", "fill", "insert", "join", "tail"])
        done.append(kind)
        data = _mutated(rng, kind, data, files)
    return done, data


def _mutated(rng, kind, data, files):  # noqa: PLR0911 - one for each kind
    at = rng.randrange(len(data) + 1)
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3, 20, 100]) if data else 0):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == "head":
        at = rng.randrange(min(len(data), 400) + 1)
        new = rng.choice([*EXTREMES, rng.randbytes(rng.randint(1, 8))])
        return data[:at] + new + data[at + len(new) :]
    if kind == "cut":
        return data[:at]
    if kind == "drop":
        return data[:at] + data[at + rng.choice([1, 10, 1000, 10_000]) :]
    if kind == "fill":
        n_bytes = rng.choice([1, 100, 5000])
        return (
            data[:at] + rng.choice([bytes(n_bytes), rng.randbytes(n_bytes)]) + data[at + n_bytes :]
        )
    if kind == "insert":
        return data[:at] + rng.randbytes(rng.choice([1, 7, 300, 3000])) + data[at:]
    _, other = rng.choice(files)
    start = 0 if kind == "join" else rng.randrange(len(other) + 1)
    return data[: at if rng.random() < 0.5 else len(data)] + other[start:]


def params_for(rng, data):
    audio = FileAudio(data, strict=rng.random() < 0.1)
    kind = rng.randrange(6)
    if kind == 0:
        return ProbeParams(audio)
    if kind == 1:
        start_s = rng.uniform(0, 2.5)
        return EmbedParams(FileAudio(data, start_s, start_s + rng.uniform(0.1, 2)))
    if kind == 2:
        return EmbedWindowsParams(audio, window_s=1.0, hop_s=0.25)
    if kind == 3:
        return EmbedSegmentsParams(audio, ((0.1, 0.7), (1.0, 1.9), (0.5, 9.0)))
    return EmbedParams(audio)


def ask(sidecar, params):
    """How the request came out, and what is wrong with that."""
    try:
        sidecar.call(params, ANSWERED_WITHIN_S)
    except RemoteError as error:
        return error.kind, "an internal error" if error.kind == "internal" else ""
    except TimeoutError:
        return "timeout", f"no answer within {ANSWERED_WITHIN_S:.0f} s"
    except ChildGone as error:
        return "crash", f"the child is gone: {error}"
    return "ok", ""


def start():
    sidecar = SpeakerSidecar.start([*LIGHT, "--log-level", "error"], stderr=subprocess.DEVNULL)
    sidecar.wait_until_ready(60)
    return sidecar


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=Path, help="recordings to mutate")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if options.files is None:
            paths = make_recordings(Path(folder))
        else:
            paths = [path for path in sorted(options.files.rglob("*")) if path.is_file()]
        files = [(path.name, path.read_bytes()) for path in paths]
    return run(files, options)


def run(files, options):
    rng = random.Random(options.seed)
    outcomes, faults, slowest_s, peak = Counter(), 0, 0.0, 0
    sidecar = start()
    for index in range(options.n):
        done, data = mutated(rng, files)
        params = params_for(rng, data)
        started_s = time.perf_counter()
        outcome, fault = ask(sidecar, params)
        took_s = time.perf_counter() - started_s
        slowest_s = max(slowest_s, took_s)
        if not fault:
            rss = psutil.Process(sidecar.process.pid).memory_info().rss
            peak = max(peak, rss)
            fault = f"the child takes {rss >> 20} MiB" if rss > MAX_RSS_BYTES else ""
        outcomes[outcome] += 1
        if fault:
            faults += 1
            kept = options.keep / f"mutated-{options.seed}-{index}.bin"
            kept.write_bytes(data)
            print(f"{index}: {fault}: {done}, {params.method}: {kept}", flush=True)
            sidecar.close(1)
            sidecar = start()
        if index % 500 == 499:
            print(f"{index + 1}: slowest {slowest_s:.2f} s, {peak >> 20} MiB", flush=True)
    sidecar.close()
    print(f"{options.n} mutated recordings of {len(files)}, seed {options.seed}: {dict(outcomes)}")
    print(f"faults: {faults}; slowest {slowest_s:.2f} s; at most {peak >> 20} MiB after an answer")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
